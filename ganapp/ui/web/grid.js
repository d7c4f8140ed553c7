// Clicks on a grid of pictures, as pixels of its image. Gradio's own events ignore that the page enlarges it.

export const picking = (selector) => ({ trigger }) => {
  document.addEventListener("click", (event) => {
    const image = event.target;
    if (!(image instanceof HTMLImageElement) || !image.closest(selector)) return;
    const box = image.getBoundingClientRect();
    const shown = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
    const x = (event.clientX - box.left - box.width / 2) / shown + image.naturalWidth / 2;
    const y = (event.clientY - box.top - box.height / 2) / shown + image.naturalHeight / 2;
    const inside = x >= 0 && y >= 0 && x < image.naturalWidth && y < image.naturalHeight;
    if (inside) trigger("select", { x: Math.floor(x), y: Math.floor(y) });
  });
};
