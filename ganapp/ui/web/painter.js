// Draws frames: a palette's planes at any size, as ganapp/pictures/planes.py does, or pixels as they are.
// Planes are enlarged along x here, and along y by WebGL, where the softmax is taken too; without WebGL, all here.

const STEEPNESS = 0.75; // measured, see planes.py
const SMOOTHED = 1024; // pixels a side up to which an edge has four samples a pixel
const NOWHERE = -1e4; // of a plane that fills up a texture's four channels

const spline = (d) => (d < 1 ? 2 / 3 - d * d + (d * d * d) / 2 : Math.max(2 - d, 0) ** 3 / 6);

// For each of `size` pixels four samples of `count` with their weights, `from` which on they are clamped, and `base`, the
// first of them, not clamped: bilinear up to `learnt`, and from there on by a cubic B-spline.
const enlargement = (count, learnt, size) => {
  const [from, weights, base] = [new Int32Array(size * 4), new Float32Array(size * 4), new Int32Array(size)];
  const exact = size === learnt;
  for (let i = 0; i < size; i++) {
    const at = exact ? i : ((i + 0.5) * learnt) / size - 0.5;
    const first = exact ? i : Math.floor(at) - 1;
    base[i] = Math.floor(((first + 0.5) * count) / learnt - 0.5);
    for (let tap = first; tap < first + (exact ? 1 : 4); tap++) {
      const weight = exact ? 1 : spline(Math.abs(at - tap));
      const sample = ((Math.min(Math.max(tap, 0), learnt - 1) + 0.5) * count) / learnt - 0.5;
      const low = Math.floor(sample);
      weights[4 * i + low - base[i]] += weight * (1 - sample + low);
      if (sample > low) weights[4 * i + low + 1 - base[i]] += weight * (sample - low);
    }
    for (let tap = 0; tap < 4; tap++) from[4 * i + tap] = Math.min(Math.max(base[i] + tap, 0), count - 1);
  }
  const reach = weights.some((weight, i) => i % 4 === 3 && weight) ? 4 : 3; // samples that are mixed
  return { from, weights, base, reach };
};

// The planes as numbers [n, side, side], once for each frame.
const unpacked = (frame) => {
  if (frame.planes) return frame.planes;
  const { values, paints, side, depth, span } = frame;
  const far = Float32Array.from({ length: 256 }, (_, i) => -Math.expm1((i / 255) * Math.log1p(depth)));
  const sides = Float32Array.from({ length: 256 }, (_, i) => {
    const value = ((i - 128) / 127) * Math.log1p(span);
    return Math.sign(value) * Math.expm1(Math.abs(value));
  });
  const split = paints * side * side;
  const planes = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) planes[i] = (i < split ? far : sides)[values[i]];
  return (frame.planes = planes);
};

// Samples along a side of a pixel, and how steep the planes are then.
const plan = (frame, size, fine, widest = Infinity) => {
  const own = frame.side * frame.plane_scale;
  const learnt = own * frame.supersample;
  const full = Math.max(Math.ceil(learnt / size), own < size && size <= SMOOTHED ? 2 : 1);
  const wanted = fine ? full : Math.min(full, Math.max(1, Math.ceil(own / size)));
  const samples = Math.max(1, Math.min(wanted, Math.floor(widest / size)));
  return { samples, learnt, steep: Math.max(1, (STEEPNESS * size * samples) / learnt) };
};

// Colours by fours, and their opacity: paints first, filled up, then the overlays.
const layout = (frame) => {
  const fours = Math.ceil(frame.paints / 4);
  const colours = new Float32Array((fours + 1) * 16);
  frame.colours.forEach((colour, i) => {
    const place = i < frame.paints ? i : fours * 4 + i - frame.paints;
    colours.set([colour[0], colour[1], colour[2], colour[3] ?? 1], place * 4);
  });
  return { fours, colours, layers: fours + (frame.overlays ? 1 : 0) + (frame.alpha ? 1 : 0) };
};

// What is one colour all over: for the `reach` by `reach` samples from each base on, their colour and alpha, or an alpha of -1.
// Weights are positive, so where one plane is highest in all of them, it is highest wherever they are mixed.
const CLEAR = 6.5; // by which it must be higher, for less than half a grey level of anything else
const EDGE = 2; // bases from -2 on
const cellsOf = (frame, steep, { fours, colours }, reach = 4) => {
  const planes = unpacked(frame);
  const { side, paints, overlays, alpha } = frame;
  const [area, clear] = [side * side, CLEAR / steep];
  const state = new Int32Array(area);
  for (let at = 0; at < area; at++) {
    let winner = 0;
    let high = -Infinity;
    let second = -Infinity;
    for (let plane = 0; plane < paints; plane++) {
      const value = planes[plane * area + at];
      if (value > high) {
        second = high;
        high = value;
        winner = plane;
      } else if (value > second) second = value;
    }
    let sure = high - second >= clear;
    let over = 0;
    let top = 0;
    let next = -Infinity;
    for (let i = 0; i < overlays; i++) {
      const value = planes[(paints + i) * area + at];
      if (value > top) {
        next = top;
        top = value;
        over = i + 1;
      } else if (value > next) next = value;
    }
    if (overlays) sure &&= top - next >= clear;
    const shows = alpha ? planes[(paints + overlays) * area + at] : Infinity;
    sure &&= Math.abs(shows) >= clear;
    state[at] = sure ? ((winner * 8 + over) << 1) | (shows > 0) : -1;
  }
  const count = side + EDGE + 1;
  const cells = new Float32Array(count * count * 4);
  const clamped = (i) => Math.min(Math.max(i, 0), side - 1);
  for (let y = 0; y < count; y++) {
    for (let x = 0; x < count; x++) {
      const first = state[clamped(y - EDGE) * side + clamped(x - EDGE)];
      let same = first >= 0;
      for (let i = 0; same && i < reach; i++)
        for (let j = 0; same && j < reach; j++)
          same = state[clamped(y - EDGE + i) * side + clamped(x - EDGE + j)] === first;
      const to = 4 * (y * count + x);
      if (!same) cells[to + 3] = -1;
      else if (first & 1) {
        const [paint, over] = [4 * (first >> 4), (first >> 1) & 7];
        const lying = 4 * (fours * 4 + over - 1);
        const opacity = over ? colours[lying + 3] : 0;
        for (let c = 0; c < 3; c++)
          cells[to + c] = colours[paint + c] * (1 - opacity) + (over ? opacity * colours[lying + c] : 0);
        cells[to + 3] = 1;
      }
    }
  }
  return { cells, count };
};

// All planes enlarged along x, four to a layer: [layers, side, width, 4].
const widened = (frame, width, { from, weights }, { fours, layers }) => {
  const planes = unpacked(frame);
  const { side, paints, overlays } = frame;
  const wide = new Float32Array(layers * side * width * 4);
  const place = (plane) => {
    if (plane < paints) return [plane >> 2, plane & 3];
    if (plane < paints + overlays) return [fours, plane - paints];
    return [layers - 1, 0];
  };
  for (let plane = 0; plane < planes.length / side ** 2; plane++) {
    const [layer, channel] = place(plane);
    for (let y = 0; y < side; y++) {
      const row = (plane * side + y) * side;
      let to = (layer * side + y) * width * 4 + channel;
      for (let x = 0, tap = 0; x < width; x++, tap += 4, to += 4) {
        wide[to] =
          planes[row + from[tap]] * weights[tap] +
          planes[row + from[tap + 1]] * weights[tap + 1] +
          planes[row + from[tap + 2]] * weights[tap + 2] +
          planes[row + from[tap + 3]] * weights[tap + 3];
      }
    }
  }
  const fill = (layer, first) => {
    for (let channel = first; channel < 4; channel++)
      for (let at = layer * side * width * 4 + channel, end = at + side * width * 4; at < end; at += 4) wide[at] = NOWHERE;
  };
  if (paints % 4) fill(fours - 1, paints % 4);
  if (overlays) fill(fours, overlays);
  return wide;
};

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID == 1, gl_VertexID == 2) * 4.0 - 1.0, 0, 1); }`;

const fragment = (fours, overlays, alpha) => `#version 300 es
precision highp float;
precision highp sampler2DArray;
uniform sampler2DArray planes;
uniform sampler2D guide, cells;
uniform vec4 colours[${(fours + 1) * 4}];
uniform int size, samples, side;
uniform float steep;
out vec4 shown;
void main() {
  ivec2 at = ivec2(int(gl_FragCoord.x), size - 1 - int(gl_FragCoord.y));
  vec3 sum = vec3(0);
  float weight = 0.0, alphas = 0.0;
  for (int sy = 0; sy < samples; sy++) {
    int y = at.y * samples + sy, below = int(texelFetch(guide, ivec2(y, 1), 0).x);
    vec4 w = texelFetch(guide, ivec2(y, 0), 0) * steep;
    ivec4 rows = clamp(ivec4(below, below + 1, below + 2, below + 3), 0, side - 1);
    for (int sx = 0; sx < samples; sx++) {
      int x = at.x * samples + sx;
      vec4 cell = texelFetch(cells, ivec2(int(texelFetch(guide, ivec2(x, 1), 0).x), below) + ${EDGE}, 0);
      if (cell.a >= 0.0) {
        sum += cell.rgb * (cell.a + 4e-6);
        weight += cell.a + 4e-6;
        alphas += cell.a;
        continue;
      }
      #define AT(layer) (w.x * texelFetch(planes, ivec3(x, rows.x, layer), 0) + w.y * texelFetch(planes, ivec3(x, rows.y, layer), 0) \\
        + w.z * texelFetch(planes, ivec3(x, rows.z, layer), 0) + w.w * texelFetch(planes, ivec3(x, rows.w, layer), 0))
      vec4 v[${fours}];
      vec4 top = vec4(${NOWHERE.toFixed(1)});
      for (int i = 0; i < ${fours}; i++) { v[i] = AT(i); top = max(top, v[i]); }
      float most = max(max(top.x, top.y), max(top.z, top.w));
      vec3 paint = vec3(0);
      float total = 0.0;
      for (int i = 0; i < ${fours}; i++) {
        vec4 e = exp(v[i] - most);
        total += e.x + e.y + e.z + e.w;
        paint += e.x * colours[4 * i].rgb + e.y * colours[4 * i + 1].rgb + e.z * colours[4 * i + 2].rgb + e.w * colours[4 * i + 3].rgb;
      }
      paint /= total;
      ${overlays ? `
      vec4 o = AT(${fours});
      float high = max(0.0, max(max(o.x, o.y), max(o.z, o.w)));
      vec4 lying = exp(o - high);
      lying /= exp(-high) + lying.x + lying.y + lying.z + lying.w;
      lying *= vec4(colours[${4 * fours}].a, colours[${4 * fours + 1}].a, colours[${4 * fours + 2}].a, colours[${4 * fours + 3}].a);
      paint *= 1.0 - (lying.x + lying.y + lying.z + lying.w);
      paint += lying.x * colours[${4 * fours}].rgb + lying.y * colours[${4 * fours + 1}].rgb
        + lying.z * colours[${4 * fours + 2}].rgb + lying.w * colours[${4 * fours + 3}].rgb;` : ""}
      float a = ${alpha ? `1.0 / (1.0 + exp(-clamp(AT(${fours + (overlays ? 1 : 0)}).x, -80.0, 80.0)))` : "1.0"};
      sum += paint * (a + 4e-6);
      weight += a + 4e-6;
      alphas += a;
    }
  }
  float a = alphas / float(samples * samples);
  shown = vec4(sum / weight * a, a);
}`;

const sized = (canvas, size) => {
  if (canvas.width !== size || canvas.height !== size) canvas.width = canvas.height = size;
};

// WebGL that is emulated on the processor is slower than drawing here.
const EMULATED = /swiftshader|llvmpipe|software|basic render/i;
const isEmulated = () => {
  const gl = document.createElement("canvas").getContext("webgl2");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = gl ? gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : "software";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return EMULATED.test(name);
};

const withWebGL = (canvas) => {
  const gl = canvas.getContext("webgl2", { alpha: true, premultipliedAlpha: true, antialias: false, preserveDrawingBuffer: true });
  if (!gl) return null;
  const programs = new Map();
  const program = (key, source) => {
    if (programs.has(key)) return programs.get(key);
    const made = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, source]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made) ?? "no shader");
    programs.set(key, made);
    return made;
  };
  const texture = (unit, kind) => {
    const made = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(kind, made);
    for (const name of ["MIN_FILTER", "MAG_FILTER"]) gl.texParameteri(kind, gl[`TEXTURE_${name}`], gl.NEAREST);
    return (...image) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      if (image.length === 3) gl.texImage2D(kind, 0, gl.RGBA32F, image[0], image[1], 0, gl.RGBA, gl.FLOAT, image[2]);
      else gl.texImage3D(kind, 0, gl.RGBA32F, ...image.slice(0, 3), 0, gl.RGBA, gl.FLOAT, image[3]);
    };
  };
  const [putPlanes, putGuide, putCells] = [
    texture(0, gl.TEXTURE_2D_ARRAY),
    texture(1, gl.TEXTURE_2D),
    texture(2, gl.TEXTURE_2D),
  ];
  const widest = gl.getParameter(gl.MAX_TEXTURE_SIZE);

  return (frame, size, fine) => {
    const { samples, learnt, steep } = plan(frame, size, fine, widest);
    const width = size * samples;
    const how = layout(frame);
    const enlarging = enlargement(frame.side, learnt, width);
    const { cells, count } = cellsOf(frame, steep, how, enlarging.reach);
    const guide = new Float32Array(width * 8);
    guide.set(enlarging.weights);
    enlarging.base.forEach((base, i) => (guide[4 * (width + i)] = base));
    sized(canvas, size);
    gl.viewport(0, 0, size, size);
    putPlanes(width, frame.side, how.layers, widened(frame, width, enlarging, how));
    putGuide(width, 2, guide);
    putCells(count, count, cells);
    const used = program(`${how.fours} ${frame.overlays} ${frame.alpha}`, fragment(how.fours, frame.overlays, frame.alpha));
    gl.useProgram(used);
    const where = (name) => gl.getUniformLocation(used, name);
    gl.uniform4fv(where("colours"), how.colours);
    gl.uniform1i(where("size"), size);
    gl.uniform1i(where("samples"), samples);
    gl.uniform1i(where("side"), frame.side);
    gl.uniform1f(where("steep"), steep);
    ["planes", "guide", "cells"].forEach((name, unit) => gl.uniform1i(where(name), unit));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return size;
  };
};

// Runs of equal values: where each begins, and where the last ends.
const runs = (values) => {
  const starts = [0];
  for (let i = 1; i < values.length; i++) if (values[i] !== values[i - 1]) starts.push(i);
  return [...starts, values.length];
};

let sheet = null; // of the last picture, as new memory costs more than what is drawn on it

// The picture of planes as ImageData, drawn here, with one sample a pixel. Pixels that are mixed of the same samples of the
// planes make a block; a block of one colour is filled, and in others only those planes are mixed that can show there.
export const painted = (frame, size) => {
  const learnt = frame.side * frame.plane_scale * frame.supersample;
  const steep = Math.max(1, (STEEPNESS * size) / learnt);
  const how = layout(frame);
  const planes = unpacked(frame);
  const { side, paints, overlays } = frame;
  const { from, weights, base, reach } = enlargement(side, Math.min(learnt, size), size); // smaller ones are bilinear
  const { cells, count } = cellsOf(frame, steep, how, reach);
  if (sheet?.width !== size) sheet = new ImageData(size, size);
  const image = sheet;
  const bytes = image.data;
  const starts = runs(base);
  const widest = Math.max(...starts.slice(1).map((end, i) => end - starts[i]));
  const all = paints + overlays + (frame.alpha ? 1 : 0);
  const wide = new Float32Array(all * 4 * widest); // planes that can show, four samples down, enlarged along x
  const shown = new Int32Array(all);
  const mixed = new Float32Array(all);
  const area = side * side;

  const block = (top, bottom, left, right) => {
    const width = right - left;
    let n = 0;
    let split = 0; // the first of `shown` that is no colour
    for (let plane = 0; plane < all; plane++) {
      if (plane < paints + overlays) {
        let nearest = -Infinity;
        for (let i = 0; i < 4; i++)
          for (let j = 0; j < 4; j++)
            nearest = Math.max(nearest, planes[plane * area + from[4 * top + i] * side + from[4 * left + j]]);
        if (nearest < -CLEAR / steep) continue;
      }
      for (let i = 0; i < 4; i++) {
        const row = plane * area + from[4 * top + i] * side;
        for (let x = left, to = (n * 4 + i) * widest; x < right; x++, to++) {
          let value = 0;
          for (let tap = 4 * x; tap < 4 * x + 4; tap++) value += weights[tap] * planes[row + from[tap]];
          wide[to] = value * steep;
        }
      }
      shown[n++] = plane;
      if (plane < paints) split = n;
    }
    for (let y = top; y < bottom; y++) {
      const w0 = weights[4 * y];
      const w1 = weights[4 * y + 1];
      const w2 = weights[4 * y + 2];
      const w3 = weights[4 * y + 3];
      for (let x = 0; x < width; x++) {
        let most = -Infinity;
        for (let i = 0, at = x; i < n; i++, at += 4 * widest) {
          const value = w0 * wide[at] + w1 * wide[at + widest] + w2 * wide[at + 2 * widest] + w3 * wide[at + 3 * widest];
          mixed[i] = value;
          if (i < split && value > most) most = value;
        }
        let r = 0;
        let g = 0;
        let b = 0;
        let total = 0;
        for (let i = 0; i < split; i++) {
          const e = Math.exp(mixed[i] - most);
          const at = 4 * shown[i];
          total += e;
          r += e * how.colours[at];
          g += e * how.colours[at + 1];
          b += e * how.colours[at + 2];
        }
        const paint = total;
        let alpha = 1;
        let high = 0;
        for (let i = split; i < n; i++) if (shown[i] < paints + overlays) high = Math.max(high, mixed[i]);
        total = Math.exp(-high);
        let over = 0;
        let red = 0;
        let green = 0;
        let blue = 0;
        for (let i = split; i < n; i++) {
          if (shown[i] === paints + overlays) {
            alpha = 1 / (1 + Math.exp(-mixed[i]));
            continue;
          }
          const e = Math.exp(mixed[i] - high);
          const at = 4 * (how.fours * 4 + shown[i] - paints);
          const opaque = e * how.colours[at + 3];
          total += e;
          over += opaque;
          red += opaque * how.colours[at];
          green += opaque * how.colours[at + 1];
          blue += opaque * how.colours[at + 2];
        }
        const rest = (1 - over / total) / paint;
        const to = 4 * (y * size + left + x);
        bytes[to] = 255 * (r * rest + red / total);
        bytes[to + 1] = 255 * (g * rest + green / total);
        bytes[to + 2] = 255 * (b * rest + blue / total);
        bytes[to + 3] = 255 * alpha;
      }
    }
  };

  const pixels = new Uint32Array(bytes.buffer);
  const one = new Uint8ClampedArray(4);
  const packed = new Uint32Array(one.buffer);
  for (let i = 1; i < starts.length; i++) {
    const top = starts[i - 1];
    const bottom = starts[i];
    for (let j = 1; j < starts.length; j++) {
      const left = starts[j - 1];
      const right = starts[j];
      const cell = 4 * ((base[top] + EDGE) * count + base[left] + EDGE);
      if (cells[cell + 3] < 0) block(top, bottom, left, right);
      else {
        for (let c = 0; c < 4; c++) one[c] = 255 * cells[cell + c];
        for (let y = top; y < bottom; y++) pixels.fill(packed[0], y * size + left, y * size + right);
      }
    }
  }
  return image;
};

// The pixels of a frame as ImageData.
export const pixelsOf = ({ side, channels, values }) => {
  const image = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    for (let channel = 0; channel < 3; channel++) image.data[4 * i + channel] = values[channels * i + channel];
    image.data[4 * i + 3] = channels === 4 ? values[4 * i + 3] : 255;
  }
  return image;
};

const showPixels = (canvas, image) => {
  sized(canvas, image.width);
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
};

// Planes drawn here; where a still picture has several samples a pixel, it is drawn larger and reduced.
let large = null;
const paintHere = (canvas, frame, size, fine) => {
  canvas.classList.remove("pixel-art");
  const { samples } = plan(frame, size, fine);
  if (samples === 1) {
    showPixels(canvas, painted(frame, size));
    return size;
  }
  large ??= document.createElement("canvas");
  showPixels(large, painted(frame, size * samples));
  sized(canvas, size);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, size, size);
  context.drawImage(large, 0, 0, size, size);
  return size;
};

// A small picture of any frame: planes at `size`, pixels at their own.
export const small = (canvas, frame, size) => showPixels(canvas, frame.kind === "planes" ? painted(frame, size) : pixelsOf(frame));

// Draws frames into `holder`, each in a canvas of the kind that it needs. `draw` gives back the size in pixels.
export const painter = (holder, { software = isEmulated() } = {}) => {
  const canvases = {};
  const canvas = (kind) => {
    if (!canvases[kind]) {
      canvases[kind] = document.createElement("canvas");
      holder.append(canvases[kind]);
    }
    for (const [other, element] of Object.entries(canvases)) element.hidden = other !== kind;
    return canvases[kind];
  };
  let paint = software ? null : undefined;
  const giveUp = () => {
    paint = null;
    canvases.webgl?.remove();
    delete canvases.webgl;
  };
  return {
    canvas: () => Object.values(canvases).find((element) => !element.hidden),
    draw(frame, size, fine) {
      if (frame.kind === "planes" && paint === undefined) {
        paint = withWebGL(canvas("webgl"));
        canvases.webgl.addEventListener("webglcontextlost", giveUp);
        if (!paint) giveUp();
      }
      if (frame.kind === "planes" && paint) {
        canvas("webgl");
        try {
          return paint(frame, size, fine);
        } catch (error) {
          console.warn(`no WebGL: ${error.message}`);
          giveUp();
        }
      }
      if (frame.kind === "planes") return paintHere(canvas("pixels"), frame, size, fine);
      const image = pixelsOf(frame);
      showPixels(canvas("pixels"), image);
      canvases.pixels.classList.toggle("pixel-art", !!frame.pixel_art);
      canvases.pixels.style.setProperty("--side", frame.pixel_art ? `${frame.side}px` : "1px");
      return image.width;
    },
  };
};
