// A picture dropped anywhere on the page: one of ours restores what made it, any other goes to Cleanup. None makes the
// browser leave the page.

import { OURS } from "./address.js";
import { queryOf } from "./engine.js";

const KEY = "ganapp"; // of the text chunk
const TABS = ["explore", "sample", "mix", "interpolate"]; // whose records are of the same kind
const MOST_RECORD = 100_000; // characters

// The record in a PNG's text chunk or in an SVG's metadata, as an object; null where there is none.
export const recordIn = async (file) => {
  const data = await file.arrayBuffer();
  const bytes = new Uint8Array(data);
  const text = bytes[0] === 0x89 ? pngText(bytes, new DataView(data)) : svgText(bytes);
  if (!text || text.length > MOST_RECORD) return null;
  try {
    const record = JSON.parse(text);
    return record && typeof record === "object" && typeof record.kind === "string" ? record : null;
  } catch {
    return null;
  }
};

const pngText = (bytes, view) => {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const chunk = bytes.subarray(at + 8, at + 8 + length);
    const end = chunk.indexOf(0);
    if ((type === "tEXt" || type === "iTXt") && new TextDecoder("latin1").decode(chunk.subarray(0, end)) === KEY) {
      if (type === "tEXt") return new TextDecoder("latin1").decode(chunk.subarray(end + 1));
      if (chunk[end + 1]) return null; // packed, which we do not write
      const language = chunk.indexOf(0, end + 3);
      return new TextDecoder().decode(chunk.subarray(chunk.indexOf(0, language + 1) + 1));
    }
    if (type === "IEND") return null;
    at += 12 + length;
  }
  return null;
};

const svgText = (bytes) => {
  const text = new TextDecoder().decode(bytes);
  if (!text.includes("<svg")) return null;
  return new DOMParser().parseFromString(text, "image/svg+xml").querySelector("metadata")?.textContent ?? null;
};

// Opens the page as the record has it. What was shown before is one step back.
const restore = ({ kind, ...record }) => {
  const url = new URL(window.location);
  const others = [...url.searchParams].filter(([name]) => name.startsWith("__"));
  const ours = [...new URLSearchParams(queryOf(record))].filter(([name]) => OURS.includes(name));
  url.search = new URLSearchParams([["tab", kind], ...ours, ...others]);
  window.location.assign(url);
};

const clean = async (file) => {
  [...document.querySelectorAll("[role=tab]")].find((tab) => tab.textContent.trim() === "Cleanup")?.click();
  // A tab that opens for the first time brings a sample, which must not come after the visitor's own picture.
  for (let i = 0; i < 100 && !document.querySelector("#cleanup-in img"); i++) await new Promise((done) => setTimeout(done, 100));
  for (let i = 0; i < 100; i++) {
    const input = document.querySelector("#cleanup-in input[type=file]");
    if (input) {
      const files = new DataTransfer();
      files.items.add(file);
      input.files = files.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
      return;
    }
    document.querySelector("#cleanup-in button[aria-label*=lear], #cleanup-in button[aria-label*=emove]")?.click();
    await new Promise((done) => setTimeout(done, 100));
  }
};

export const entrance = () => {
  const within = (event) => event.target.closest?.("#cleanup-in, #cleanup-cut-out"); // these take what is theirs
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.documentElement.classList.toggle("dropping", !within(event));
  });
  for (const end of ["dragleave", "dragend"]) {
    document.addEventListener(end, (event) => {
      if (!event.relatedTarget) document.documentElement.classList.remove("dropping");
    });
  }
  document.addEventListener("drop", async (event) => {
    document.documentElement.classList.remove("dropping");
    if (!event.dataTransfer?.files.length || within(event)) return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    const record = await recordIn(file);
    if (record && TABS.includes(record.kind)) restore(record);
    else if (file.type.startsWith("image/")) clean(file);
  });
};
