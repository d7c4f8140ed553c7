// Where the eye is led: a result may lie above or below what a small screen shows.

export const toResult = (selector) => {
  setTimeout(() => document.querySelector(selector)?.scrollIntoView({ block: "nearest" }), 50);
};
