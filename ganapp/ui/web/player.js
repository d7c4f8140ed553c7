// Plays and scrubs through the frames of a walk, which arrive as one sheet, so no frame needs a request.
// `watch` tells of a new value; the template may be rendered anew, so elements are looked up late.

// The inputs of a call, the first replaced by the number of the frame that is shown.
export const shownFrame = (_, ...rest) => [Number(document.querySelector("#player canvas")?.dataset.frame ?? 0), ...rest];

export const player = ({ element, props, watch }) => {
  const find = (selector) => element.querySelector(selector);
  let sheet = null;
  let walk = null;
  let frame = 0;
  let step = 1;
  let playing = true;
  let last = 0;

  const show = (next) => {
    frame = next;
    const canvas = find("canvas");
    const context = canvas.getContext("2d");
    const x = (frame % walk.columns) * walk.size;
    const y = Math.floor(frame / walk.columns) * walk.size;
    context.clearRect(0, 0, walk.size, walk.size);
    context.drawImage(sheet, x, y, walk.size, walk.size, 0, 0, walk.size, walk.size);
    canvas.dataset.frame = frame;
    const scrub = find(".scrub");
    scrub.value = frame;
    scrub.style.setProperty("--done", `${(100 * frame) / Math.max(walk.count - 1, 1)}%`);
    find("output").textContent = `${frame + 1} / ${walk.count}`;
  };

  const setPlaying = (on) => {
    playing = on;
    find(".play").classList.toggle("paused", !on);
    find(".play").setAttribute("aria-label", on ? "Pause" : "Play");
  };

  // A closed walk goes round. An open one goes there and back: from its end to its start would be a jump.
  const advance = () => {
    if (walk.loop) return (frame + 1) % walk.count;
    if (frame + step < 0 || frame + step >= walk.count) step = -step;
    return frame + step;
  };

  const load = () => {
    const value = props.value;
    if (!value || !value.sheet) return;
    const image = new Image();
    image.onload = () => {
      sheet = image;
      walk = value;
      const canvas = find("canvas");
      canvas.width = canvas.height = walk.size;
      canvas.classList.toggle("pixel-art", walk.pixelArt);
      canvas.style.setProperty("--side", walk.pixelArt ? `${walk.size}px` : "1px");
      find(".scrub").max = walk.count - 1;
      show(Math.min(frame, walk.count - 1));
      setPlaying(playing);
    };
    image.src = value.sheet.url;
  };

  const tick = (now) => {
    if (!element.isConnected) return;
    // A screen's frames come when they come: what one was late by counts for the next, or 24 a second would be 20.
    const period = walk ? 1000 / walk.fps : 0;
    if (walk && playing && element.offsetParent && now - last >= period) {
      last = Math.max(last + period, now - period);
      show(advance());
    }
    requestAnimationFrame(tick);
  };

  element.addEventListener("input", (event) => {
    if (!walk || !event.target.matches(".scrub")) return;
    setPlaying(false);
    show(Number(event.target.value));
  });
  element.addEventListener("click", (event) => {
    if (walk && event.target.matches(".play")) setPlaying(!playing);
  });
  watch("value", load);
  load();
  requestAnimationFrame(tick);
};
