// Scrolls to a result, which may lie above or below what a small screen shows.

export const toResult = (selector) => {
  setTimeout(() => document.querySelector(selector)?.scrollIntoView({ block: "nearest" }), 50);
};
