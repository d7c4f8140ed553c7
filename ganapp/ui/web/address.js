// The address bar: what the page shows, so that it can be shared as it stands, and so that Back goes back to it.

// Parameters of all tabs; those of other programs stay.
export const OURS = [
  "tab", "model", "seed", "count", "psi", "noise_seed", "labels", "size", "seeds", "x", "y", "moves", "source_seeds",
  "destination_seeds", "layers", "frames", "space", "loop", "fps", "format", "background",
];

const withRecord = (query) => {
  const url = new URL(window.location);
  for (const name of OURS) url.searchParams.delete(name);
  for (const [key, value] of new URLSearchParams(query)) url.searchParams.set(key, value);
  return url;
};

// A page that frames this one, as a Space's does, has an address of its own, and changes it when it is told to. What it
// frames is no secret to it.
const tellParent = (url) => {
  if (window.parent !== window) window.parent.postMessage({ queryString: url.search.slice(1), hash: url.hash }, "*");
};

// Puts a query, a tab and its record, into the address in place of what was there. Another tab is a step.
export const share = (query) => {
  if (!query) return;
  const before = new URLSearchParams(window.location.search).get("tab");
  const url = withRecord(query);
  if (before && before !== url.searchParams.get("tab")) go(query);
  else {
    window.history.replaceState(null, "", url);
    tellParent(url);
  }
};

// The same as a step that Back undoes.
export const go = (query) => {
  const url = withRecord(query);
  if (!query || url.href === window.location.href) return;
  window.history.pushState(null, "", url);
  tellParent(url);
};

// Back and forward: whoever can shows what the address has; else the page is opened anew, as the address has it.
const able = [];
export const onBack = (shows) => able.push(shows);
window.addEventListener("popstate", () => {
  const query = new URLSearchParams(window.location.search);
  if (!able.some((shows) => shows(query))) window.location.reload();
});
