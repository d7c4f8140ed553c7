// Explore: one large picture, and a pad that is a plane through four seeds. Where the finger is, the picture is.

import { queryOf, server } from "./engine.js";
import { painter, small } from "./painter.js";
import { go, onBack, share } from "./address.js";
import { stage } from "./stage.js";
import { tray } from "./tray.js";
import { wishes } from "./wishes.js";

const MAP = 5; // small pictures along a side of the pad
const SMALL = 96; // pixels a side of those
const MOST = 2048; // pixels a side of the large picture, on the sharpest screen
const STEP = 0.02; // of the pad, for an arrow key; with Shift five of them
const FRAME = 20; // milliseconds that a picture may take under the finger; where it takes longer it is drawn smaller
const SIZES = [512, 1024, 2048, 4096];
const HIGHEST_SEED = 2 ** 32 - 1;

let instrument = null;

// Sets values that controls outside of the instrument have: truncation, noise and the attributes in their order.
export const set = (psi, noise_seed, ...labels) => instrument?.set(psi, noise_seed, labels);

// The record that is shown, for what Python makes of it.
export const shown = () => [JSON.stringify(instrument?.record() ?? {})];

// The tab is opened again: the address is its own again.
export const reopened = () => instrument?.reopened();

const seedsOf = (text) => {
  const seeds = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  const right = seeds.length === 4 && seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed <= HIGHEST_SEED);
  return right ? seeds : null;
};
const roll = () => Math.floor(Math.random() * 1e6);
const clamp = (value) => Math.min(1, Math.max(0, value));
const rounded = (value) => Math.round(value * 1000) / 1000;

const TEMPLATE = `
<div class="show">
<div class="view" tabindex="-1" role="group" aria-label="The picture at the point of the pad">
  <p class="said" role="alert" hidden></p>
  <p class="caption" aria-hidden="true"></p>
  <button type="button" class="off-air">Back <kbd>Esc</kbd></button>
</div>
<div class="tray" role="group" aria-label="Kept pictures" hidden></div>
</div>
<div class="desk">
  <div class="plane">
  <div class="pad" role="slider" tabindex="0" aria-label="Where between the four corners" aria-valuemin="0" aria-valuemax="100">
    <div class="map" aria-hidden="true"></div><div class="ring" aria-hidden="true"></div>
  </div>
  </div>
  <div class="actions">
    <label class="field">Corners <input class="seeds" inputmode="numeric" autocomplete="off" spellcheck="false"></label>
    <button type="button" class="others">Four others</button>
  </div>
  <div class="actions">
    <button type="button" class="play" aria-pressed="false">Play</button>
    <button type="button" class="on-air" title="Space: four others, P: play, arrows: other seeds, Esc: back">Stage <kbd>F</kbd></button>
    <button type="button" class="keep" title="Keep this picture in the tray of this browser (K)">Keep</button>
    <button type="button" class="copy" title="Copy the link to what is shown">Link</button>
  </div>
  <div class="directions"></div>
  <div class="actions">
    <label class="field">File <select class="size"></select></label>
    <a class="button file" download>Download</a>
  </div>
</div>`;

export const explore = ({ element, props, watch }) => {
  const root = document.createElement("div");
  root.className = "explore";
  root.innerHTML = TEMPLATE;
  const find = (selector) => root.querySelector(selector);
  const [view, pad, map, ring] = [".view", ".pad", ".map", ".ring"].map(find);
  const mount = () => {
    const place = element.querySelector(".explore-here") ?? element;
    if (root.parentElement !== place) place.replaceChildren(root);
  };

  const engine = server;
  const brush = painter(view);
  let record = null; // what is wished for
  let facts = null; // about the model
  let frame = null; // what is shown
  let cost = 0; // milliseconds to draw a picture, lately
  let scale = 1; // of the size while it moves
  let dragging = false;
  let known = false; // whether the address has been read; before, none is written
  const visible = () => root.offsetParent !== null || root.classList.contains("on-stage");
  const moving = () => dragging || playing.moving();

  const pixels = () => Math.min(MOST, Math.max(64, Math.round(view.clientWidth * (window.devicePixelRatio || 1))));

  const draw = (fine) => {
    if (!frame) return;
    const began = performance.now();
    brush.draw(frame, fine ? pixels() : Math.max(128, Math.round(pixels() * scale)), fine);
    view.dataset.fine = fine;
    view.dataset.drawn = Number(view.dataset.drawn ?? 0) + 1;
    if (fine) return;
    cost = cost ? 0.7 * cost + 0.3 * (performance.now() - began) : performance.now() - began;
    if (cost > FRAME && scale > 0.3) [scale, cost] = [scale * 0.8, 0];
    else if (cost && cost < FRAME / 3 && scale < 1) [scale, cost] = [Math.min(1, scale * 1.1), 0];
  };

  const say = (sentence) => {
    find(".said").textContent = sentence ?? "";
    find(".said").hidden = !sentence;
  };

  // Several answers may come between two frames of the screen: the last of them is drawn.
  let due = false;
  const live = wishes(
    (wish) => engine.draw(wish),
    (answer, wish) => {
      frame = answer;
      view.dataset.at = `${wish.x} ${wish.y}`;
      say();
      if (due) return;
      due = true;
      requestAnimationFrame(() => {
        due = false;
        draw(!moving() && !live.busy());
      });
    },
    (error) => say(error.message),
  );

  const wanted = () => (facts.paints ? record : { ...record, size: moving() || facts.pixel_art ? "own" : "512" });
  const wish = () => live.wish(wanted());

  // The address and the file follow once nothing moves.
  const settle = async (push = false) => {
    await live.rest();
    if (moving()) return;
    if (!facts.paints && !facts.pixel_art) frame = (await engine.draw(wanted())) ?? frame;
    draw(true);
    if (known && visible()) (push ? go : share)(`tab=explore&${queryOf(record)}`);
    follow();
  };

  const follow = () => {
    const size = find(".size").value;
    find(".file").href = engine.file({ ...record, size });
    find(".file").setAttribute("download", "");
  };

  // The pad

  const place = () => {
    ring.style.left = `${record.x * 100}%`;
    ring.style.top = `${record.y * 100}%`;
    pad.setAttribute("aria-valuenow", Math.round(record.x * 100));
    pad.setAttribute("aria-valuetext", `${Math.round(record.x * 100)} % across, ${Math.round(record.y * 100)} % down`);
  };
  const moveTo = (x, y) => {
    record = { ...record, x: rounded(clamp(x)), y: rounded(clamp(y)) };
    place();
    wish();
  };
  const at = (event) => {
    const box = pad.getBoundingClientRect();
    moveTo((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  pad.addEventListener("pointerdown", (event) => {
    if (!record || event.button) return;
    event.preventDefault();
    pad.focus({ preventScroll: true });
    pad.setPointerCapture(event.pointerId);
    dragging = true;
    at(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (dragging) at(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    pad.addEventListener(end, () => {
      if (!dragging) return;
      dragging = false;
      wish();
      settle();
    });
  }
  pad.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const to = { Home: [0, 0], End: [1, 1] }[event.key];
    if (!record || (!by && !to)) return;
    event.preventDefault();
    const step = event.shiftKey ? 5 * STEP : STEP;
    if (by) moveTo(record.x + by[0] * step, record.y + by[1] * step);
    else moveTo(...to);
    settle();
  });

  // Small pictures of the plane, drawn one after the other from the corners inwards, while nothing moves.

  const cells = [];
  for (let i = 0; i < MAP * MAP; i++) cells.push(map.appendChild(document.createElement("canvas")));
  const order = cells.map((_, i) => i).sort((one, other) => far(other) - far(one));
  function far(i) {
    const [x, y] = [i % MAP, Math.floor(i / MAP)].map((at) => Math.abs(at - (MAP - 1) / 2));
    return x + y + 10 * (x === y && x === (MAP - 1) / 2);
  }
  let mapped = ""; // what the map shows
  let mapping = 0;
  const chart = async () => {
    const { x, y, size, ...plane } = record;
    const key = JSON.stringify(plane);
    if (key === mapped) return;
    mapped = key;
    const number = ++mapping;
    map.classList.add("old");
    for (const i of order) {
      await live.rest();
      if (number !== mapping) return;
      if (!visible()) {
        mapped = ""; // another tab is open: this goes on when it is left
        return;
      }
      const [column, row] = [i % MAP, Math.floor(i / MAP)];
      try {
        const part = await engine.draw({ ...plane, x: column / (MAP - 1), y: row / (MAP - 1) });
        if (number !== mapping) return;
        if (!part) throw new Error("a newer wish took its place");
        small(cells[i], part, SMALL);
        cells[i].classList.toggle("pixel-art", !!part.pixel_art);
      } catch {
        mapped = ""; // try again: the others may have been too many
        setTimeout(() => number === mapping && chart(), 2000);
        return;
      }
    }
    map.classList.remove("old");
  };

  // The corners

  const corners = ["top left", "top right", "bottom left", "bottom right"].map((name, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `corner ${name.replace(" ", "-")}`;
    button.addEventListener("click", () => change({ seeds: record.seeds.map((seed, j) => (i === j ? roll() : seed)) }, true));
    find(".plane").append(button);
    return { button, name };
  });
  const label = () => {
    corners.forEach(({ button, name }, i) => {
      button.textContent = record.seeds[i];
      button.title = `Another seed at the ${name}`;
      button.setAttribute("aria-label", `Seed ${record.seeds[i]} at the ${name}: draw another`);
    });
    if (document.activeElement !== find(".seeds")) find(".seeds").value = record.seeds.join(", ");
  };
  find(".others").addEventListener("click", () => change({ seeds: [roll(), roll(), roll(), roll()] }, true));
  find(".seeds").addEventListener("change", (event) => {
    const seeds = seedsOf(event.target.value);
    say(seeds ? "" : `Corners are four whole numbers from 0 to ${HIGHEST_SEED}, such as 1, 2, 3, 4.`);
    if (seeds) change({ seeds }, true);
  });

  // The directions

  const sliders = () => {
    const box = find(".directions");
    box.replaceChildren();
    for (const name of facts.directions) {
      // "body color: orange – sky (shape)" has its ends to the left and to the right of the slider.
      const [, caption, low, high, part] = name.match(/^(.*): (.*) – (.*?)( \(\w+\))?$/) ?? [name, name, "−", "+", ""];
      const row = document.createElement("div");
      row.className = "direction";
      const text = (tag, content) => row.appendChild(Object.assign(document.createElement(tag), { textContent: content }));
      text("span", `${caption}${part ?? ""}`);
      text("small", low);
      const dial = Object.assign(document.createElement("input"), { type: "range", min: -3, max: 3, step: 0.1, className: "dial" });
      dial.setAttribute("aria-label", name);
      dial.title = "A double click sets it back";
      row.append(dial);
      text("small", high);
      const show = () => {
        dial.value = record.moves[name] ?? 0;
        const at = ((Number(dial.value) + 3) / 6) * 100;
        dial.style.setProperty("--from", `${Math.min(50, at)}%`);
        dial.style.setProperty("--to", `${Math.max(50, at)}%`);
      };
      const to = (value) => {
        const { [name]: before, ...rest } = record.moves;
        record = { ...record, moves: value ? { ...rest, [name]: value } : rest };
        show();
        wish();
      };
      dial.addEventListener("input", () => to(Number(dial.value)));
      dial.addEventListener("change", () => settle().then(chart));
      dial.addEventListener("dblclick", () => {
        to(0);
        settle().then(chart);
      });
      box.append(row);
      show();
    }
    box.hidden = !facts.directions.length;
  };

  // The file

  const choices = () => {
    const sizes = SIZES.filter((size) => size > facts.resolution).map((size) => [size, `PNG, ${size.toLocaleString("en")} px`]);
    const options = [["own", `PNG, ${facts.resolution} px`], ...sizes, ...(facts.paints ? [["svg", "SVG"]] : [])];
    const before = find(".size").value;
    find(".size").replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    find(".size").value = options.some(([value]) => String(value) === before) ? before : facts.paints ? "1024" : "own";
  };
  find(".size").addEventListener("change", follow);
  find(".copy").addEventListener("click", async () => {
    const button = find(".copy");
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      say("The link is in the address bar: this browser does not let the page copy it.");
    }
    setTimeout(() => (button.textContent = "Link"), 2000);
  });

  // Changes from here, from controls beside, and from Python

  const change = (values, push = false) => {
    record = { ...record, ...values };
    label();
    place();
    wish();
    settle(push).then(chart);
  };
  const load = () => {
    mount();
    const value = props.value;
    if (!value?.record) return;
    const chosen = value.how === "model";
    const kept = record && chosen ? { seeds: record.seeds, x: record.x, y: record.y } : {};
    known = value.how !== "first";
    facts = value.facts;
    record = { ...value.record, ...kept };
    delete record.size;
    sliders();
    choices();
    change({}, chosen);
  };
  instrument = {
    reopened() {
      if (!record) return;
      share(`tab=explore&${queryOf(record)}`);
      requestAnimationFrame(chart); // once it is shown
    },
    record: () => (record ? { ...record, size: find(".size").value } : null),
    set(psi, noise_seed, labels) {
      if (!record || typeof psi !== "number") return; // it is being typed
      psi = Math.min(2, Math.max(-2, psi));
      const chosen = facts.attributes.map((name, i) => [name, labels[i]]).filter(([, value]) => value && value !== "any");
      change({ psi, noise_seed: noise_seed ?? 0, labels: Object.fromEntries(chosen) });
    },
  };
  // Back: what only this instrument has is shown at once; for another model or other attributes the page opens anew.
  onBack((query) => {
    if (!record || !visible() || query.get("tab") !== "explore") return false;
    const theirs = ["model", "psi", "noise_seed", "labels"].every((name) => {
      const mine = new URLSearchParams(queryOf(record)).get(name);
      return (query.get(name) ?? "") === (mine ?? "");
    });
    const seeds = seedsOf(query.get("seeds") ?? "");
    if (!theirs || !seeds) return false;
    const moves = JSON.parse(query.get("moves") ?? "{}");
    record = { ...record, seeds, x: clamp(Number(query.get("x"))), y: clamp(Number(query.get("y"))), moves };
    sliders();
    change({});
    return true;
  });
  const box = tray(
    find(".tray"),
    (kept) => {
      const beside = ({ model, labels, psi, noise_seed }) => JSON.stringify([model, labels, psi, noise_seed]);
      if (beside(kept) !== beside(record)) {
        go(`tab=explore&${queryOf(kept)}`);
        window.location.reload(); // controls beside this instrument follow the address
        return;
      }
      record = { ...kept };
      sliders();
      change({}, true);
    },
    say,
  );
  const keep = () => {
    if (!frame) return;
    const canvas = document.createElement("canvas");
    small(canvas, frame, SMALL);
    box.keep({ ...record }, canvas, frame.pixel_art);
  };
  find(".keep").addEventListener("click", keep);
  const nearest = () => record.seeds[Math.round(record.x) + 2 * Math.round(record.y)];
  const playing = stage({
    root,
    nearest,
    roll,
    name: () => record.model,
    seeds: () => record.seeds,
    settle: () => settle(true).then(chart),
    keep,
    others: () => change({ seeds: [roll(), roll(), roll(), roll()] }, true),
    place(values) {
      record = { ...record, ...values };
      label();
      place();
      wish();
    },
    // The picture of the next seed, or of the one before, whole.
    step(by) {
      const seed = Math.min(Math.max(nearest() + by, 0), HIGHEST_SEED);
      change({ seeds: [seed, ...record.seeds.slice(1)], x: 0, y: 0 });
    },
    nudge(x, y) {
      moveTo(record.x + 5 * STEP * x, record.y + 5 * STEP * y);
      settle();
    },
  });
  new ResizeObserver(() => frame && draw(!moving())).observe(view);
  watch("value", load);
  load();
};
