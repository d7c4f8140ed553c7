// What draws: here the server, which sends a palette's planes, or pixels where a model has none.

// The frame of an answer: the length of its header in four bytes, the header as JSON, and the values.
export const frameOf = (buffer) => {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { ...header, values: new Uint8Array(buffer, 4 + length) };
};

const base = () => new URL(location.origin + location.pathname.replace(/\/?$/, "/"));
const visitor = Math.random().toString(36).slice(2);

export class Refused extends Error {}

export const server = {
  // The frame of a record; `null` where a newer wish has taken its place. Throws Refused with a sentence.
  async draw(record, signal) {
    const answer = await fetch(new URL("live/explore", base()), {
      method: "POST",
      headers: { "content-type": "application/json", "x-visitor": visitor },
      body: JSON.stringify(record),
      signal,
    });
    if (answer.status === 409) return null;
    if (!answer.ok) throw new Refused((await answer.text()).slice(0, 300));
    return frameOf(await answer.arrayBuffer());
  },

  // The address of the record's picture as a file.
  file(record) {
    const url = new URL("live/explore/file", base());
    url.search = queryOf(record);
    return url.href;
  },
};

// A record as the server's `Record.query` writes it.
export const queryOf = (record) => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(record)) {
    if (value === "" || value === null || value === undefined) continue;
    if (Array.isArray(value)) query.set(name, value.join(","));
    else if (typeof value === "object") Object.keys(value).length && query.set(name, JSON.stringify(value));
    else query.set(name, value);
  }
  return query.toString();
};
