// Gradio's slider uses every wheel and every touch over it to zoom, so the page under it cannot be scrolled.
// Here a wheel zooms with Ctrl, as a pinch does, and one finger beside the handle scrolls until something is zoomed.

export const scrollable = () => {
  const pictures = (event) => {
    const slider = event.target.closest?.(".compare .slider-wrap");
    if (!slider || event.target.closest("[data-testid=slider]")) return null;
    return slider.querySelector("img");
  };
  const zoomed = (picture) => !/scale\(1\)/.test(picture.style.transform);

  document.addEventListener(
    "wheel",
    (event) => {
      const picture = pictures(event);
      if (picture && !event.ctrlKey && !zoomed(picture)) event.stopPropagation();
    },
    { capture: true, passive: true },
  );
  document.addEventListener(
    "touchstart",
    (event) => {
      const picture = pictures(event);
      if (picture && event.touches.length === 1 && !zoomed(picture)) event.stopPropagation();
    },
    { capture: true, passive: true },
  );
};
