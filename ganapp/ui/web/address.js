// The address bar: what the page shows, so that it can be shared as it stands.

// Puts a record's query into the address. Parameters of other programs stay.
export const share = (query) => {
  const url = new URL(window.location);
  url.searchParams.delete("labels");
  for (const [key, value] of new URLSearchParams(query)) url.searchParams.set(key, value);
  window.history.replaceState(null, "", url);
};
