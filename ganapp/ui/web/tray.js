// The tray: pictures that a visitor keeps, each as the record that draws it again and a small picture. It lies in the
// browser and nowhere else, and survives a reload.

const KEY = "ganapp.tray";
const MOST = 60;
const UNDO_WITHIN = 8000; // milliseconds

const read = () => {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each) => each?.record && typeof each.small === "string").slice(0, MOST) : [];
  } catch {
    return []; // not ours, or no storage here
  }
};

// `show` shows a record again. `keep` takes a record and a canvas of its small picture.
export const tray = (place, show, say) => {
  let kept = read();
  let undo = null;

  const write = () => {
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      say("This browser keeps no more pictures: they stay here until the page is closed.");
    }
    render();
  };
  const render = () => {
    place.hidden = !kept.length && !undo;
    place.replaceChildren();
    kept.forEach((each, i) => {
      const item = document.createElement("div");
      item.className = "kept";
      const open = document.createElement("button");
      open.type = "button";
      open.setAttribute("aria-label", `Kept picture ${i + 1} of ${kept.length}, ${each.record.model}: show it`);
      const image = new Image();
      image.src = each.small.startsWith("data:image/png;") ? each.small : "";
      image.alt = "";
      image.classList.toggle("pixel-art", !!each.pixelArt);
      open.append(image);
      open.addEventListener("click", () => show(each.record));
      const drop = document.createElement("button");
      drop.type = "button";
      drop.className = "drop";
      drop.textContent = "×";
      drop.setAttribute("aria-label", `Kept picture ${i + 1}: put it away`);
      drop.addEventListener("click", () => {
        kept = kept.filter((other) => other !== each);
        undo = { each, i };
        setTimeout(() => undo?.each === each && ((undo = null), render()), UNDO_WITHIN);
        write();
      });
      item.append(open, drop);
      place.append(item);
    });
    if (undo) {
      const back = Object.assign(document.createElement("button"), { type: "button", className: "undo", textContent: "Undo" });
      back.addEventListener("click", () => {
        kept.splice(undo.i, 0, undo.each);
        undo = null;
        write();
      });
      place.append(back);
    }
  };
  // Another tab of the browser may have kept something.
  window.addEventListener("storage", (event) => event.key === KEY && ((kept = read()), render()));
  render();

  return {
    keep(record, canvas, pixelArt) {
      const text = JSON.stringify(record);
      kept = [{ record, small: canvas.toDataURL("image/png"), pixelArt }, ...kept.filter((each) => JSON.stringify(each.record) !== text)];
      if (kept.length > MOST) say(`The tray holds ${MOST} pictures: the oldest has gone.`);
      kept = kept.slice(0, MOST);
      write();
    },
  };
};
