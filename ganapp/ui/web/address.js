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

// Puts a query, a tab and its record, into the address in place of what was there. Another tab is a step.
export const share = (query) => {
  if (!query) return;
  const before = new URLSearchParams(window.location.search).get("tab");
  if (before && before !== new URLSearchParams(query).get("tab")) go(query);
  else window.history.replaceState(null, "", withRecord(query));
};

// The same as a step that Back undoes.
export const go = (query) => {
  const url = withRecord(query);
  if (query && url.href !== window.location.href) window.history.pushState(null, "", url);
};

// Back and forward: whoever can shows what the address has; else the page is opened anew, as the address has it.
const able = [];
export const onBack = (shows) => able.push(shows);
window.addEventListener("popstate", () => {
  const query = new URLSearchParams(window.location.search);
  if (!able.some((shows) => shows(query))) window.location.reload();
});
