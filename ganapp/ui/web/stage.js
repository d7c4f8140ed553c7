// The stage: the picture fills the screen, keys play it, and it goes on by itself when nobody does.

const STEP_TAKES = 7000; // milliseconds from one seed to the next
const REST = 900; // milliseconds on each
const IDLE = 60_000; // milliseconds without a hand on it, after which it goes on by itself
const TYPING = "input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable=true]";

const still = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const smooth = (t) => t * t * (3 - 2 * t);

// `play` is what can be played: {root, place(record values), seeds(), roll(), nudge(dx, dy), settle(), shown()}.
export const stage = (play) => {
  const { root } = play;
  let moving = 0; // the number of the walk that is under way, 0 for none
  let walks = 0;
  let touched = performance.now();

  const on = () => root.classList.contains("on-stage");
  const tell = () => {
    const [here, there] = play.seeds();
    root.querySelector(".caption").textContent = moving ? `${play.name()}, ${here} → ${there}` : play.name();
    root.querySelector(".play").textContent = moving ? "Pause" : "Play";
    root.querySelector(".play").setAttribute("aria-pressed", moving > 0);
  };

  // From the top left corner to the top right, which is then the top left of a plane with another seed beside it.
  const walk = async () => {
    const number = (moving = ++walks);
    let [here, there] = [play.nearest(), play.roll()];
    const begin = () => play.place({ seeds: [here, there, ...play.seeds().slice(2)], x: 0, y: 0 });
    begin();
    tell();
    let began = performance.now();
    const step = (now) => {
      if (moving !== number || !root.isConnected) return;
      if (!root.offsetParent && !on()) {
        moving = 0; // another tab is open
        tell();
        return;
      }
      const t = (now - began - REST) / STEP_TAKES;
      if (t >= 1) {
        [here, there] = [there, play.roll()];
        began = now;
        begin();
        tell();
      } else if (t > 0) play.place({ x: Math.round(1000 * smooth(t)) / 1000, y: 0 });
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  const rest = () => {
    if (!moving) return;
    moving = 0;
    tell();
    play.settle();
  };

  const enter = async () => {
    root.classList.add("on-stage");
    document.documentElement.classList.add("stage-open");
    tell();
    root.querySelector(".view").focus({ preventScroll: true });
    try {
      await root.requestFullscreen?.();
      if (!on() && document.fullscreenElement) document.exitFullscreen(); // left meanwhile
    } catch {
      // In a frame that may not: it fills the page then.
    }
  };
  const leave = () => {
    if (!on()) return;
    rest();
    root.classList.remove("on-stage");
    document.documentElement.classList.remove("stage-open");
    if (document.fullscreenElement) document.exitFullscreen();
    root.querySelector(".on-air").focus({ preventScroll: true });
  };
  document.addEventListener("fullscreenchange", () => !document.fullscreenElement && leave());

  const KEYS = {
    f: () => (on() ? leave() : enter()),
    Escape: leave,
    " ": () => on() && (rest(), play.others()),
    k: () => play.keep(),
    p: () => on() && (moving ? rest() : walk()),
    ArrowLeft: () => on() && play.step(-1),
    ArrowRight: () => on() && play.step(1),
    ArrowUp: () => on() && play.nudge(0, -1),
    ArrowDown: () => on() && play.nudge(0, 1),
  };
  document.addEventListener("keydown", (event) => {
    touched = performance.now();
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!root.offsetParent && !on()) return; // another tab is open
    if (event.target.matches?.(TYPING)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!KEYS[key] || (key === " " && event.target.closest?.("button, a") && !on())) return;
    if (on()) event.preventDefault();
    KEYS[key]();
  });
  for (const kind of ["pointerdown", "pointermove"]) document.addEventListener(kind, () => (touched = performance.now()));
  // A hand on the picture, its pad or its dials stops what goes on by itself.
  root.addEventListener("pointerdown", (event) => !event.target.closest(".play") && rest());

  root.querySelector(".on-air").addEventListener("click", enter);
  root.querySelector(".off-air").addEventListener("click", leave);
  root.querySelector(".play").addEventListener("click", () => (moving ? rest() : walk()));

  setInterval(() => {
    if (on() && !moving && !still() && performance.now() - touched > IDLE) walk();
  }, 1000);
  return { moving: () => moving > 0, rest };
};
