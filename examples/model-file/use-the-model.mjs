// The mask of a plane by a model file of beadctl, with onnxruntime-web alone, in browsers and in Node:
// node use-the-model.mjs bead.onnx plane.f32 HEIGHT WIDTH mask.u8

import * as ort from "onnxruntime-web";

/**
 * Return where a model file sees beads: 1 or 0 for each pixel, row by row.
 * @param {Uint8Array} model content of the model file
 * @param {Float32Array} plane grey levels, row by row
 * @param {number} height rows of the plane, px
 * @param {number} width columns of the plane, px
 */
export async function mask(model, plane, height, width) {
  const facts = factsOf(model);
  const session = await ort.InferenceSession.create(model);
  const rows = Array.from({ length: height }, (_, y) => Array.from(plane.subarray(y * width, (y + 1) * width)));
  const image = channels(rows, plane, facts.normalisation);
  const [high, wide] = [height, width].map((edge) => Math.ceil(edge / facts.stride) * facts.stride);
  const input = new Float32Array(image.length * high * wide);
  const mirrored = (index, edge) => (index < edge ? index : 2 * edge - 2 - index);
  for (let at = 0; at < input.length; at++) {
    const y = Math.floor(at / wide) % high;
    input[at] = image[Math.floor(at / wide / high)][mirrored(y, height)][mirrored(at % wide, width)];
  }
  const tensor = new ort.Tensor("float32", input, [1, image.length, high, wide]);
  const { probability } = await session.run({ image: tensor }, ["probability"]);
  return Uint8Array.from(plane, (_, at) => {
    return probability.data[Math.floor(at / width) * wide + (at % width)] > facts.threshold ? 1 : 0;
  });
}

// The runtime does not show the metadata of a file: this is the value after the key "beadctl" in it.
function factsOf(model) {
  const key = "\n\x07beadctl\x12";
  let at = new TextDecoder("latin1").decode(model).lastIndexOf(key) + key.length;
  let size = 0;
  for (let shift = 0, more = true; more; shift += 7, at++) {
    size |= (model[at] & 127) << shift;
    more = model[at] > 127;
  }
  return JSON.parse(new TextDecoder().decode(model.subarray(at, at + size)));
}

// See the guide to model files for what the network is shown.
function channels(rows, plane, normalisation) {
  const ofMedian = normalisation.startsWith("median");
  const sorted = Float64Array.from(plane).sort();
  const [low, middle, high] = ofMedian ? percentiles(sorted) : ends(sorted);
  const scaled = (zero, one) => rows.map((row) => row.map((value) => (value - zero) / one));
  if (ofMedian) return [clipped(scaled(middle, Math.max(high - middle, middle - low)), 3)];
  const value = scaled((low + high) / 2, (high - low) / 2);
  return [clipped(value, 3), clipped(contrast(value, 8), 5), clipped(contrast(value, 32), 5)];
}

function percentiles(sorted) {
  return [0.001, 0.5, 0.999].map((share) => {
    const at = share * (sorted.length - 1), below = Math.floor(at);
    return sorted[below] + (sorted[Math.ceil(at)] - sorted[below]) * (at - below);
  });
}

// The grey levels that are shown as -1 and 1, and one between.
function ends(sorted) {
  const known = [field(sorted), sorted].map(percentiles);
  return known.find(([low, , high]) => low < high) ?? [sorted[0], known[1][1], sorted.at(-1)];
}

// Grey levels without a lowest or highest one that a tenth of them are: a surround.
function field(sorted) {
  const [lowest, highest] = [sorted[0], sorted.at(-1)];
  const first = sorted.findIndex((level) => level > lowest);
  const last = sorted.findLastIndex((level) => level < highest);
  const isMany = (number) => number >= 0.1 * sorted.length;
  const inside = sorted.subarray(isMany(first) ? first : 0, isMany(sorted.length - 1 - last) ? last + 1 : sorted.length);
  return inside.length ? inside : sorted;
}

// How far each pixel lies from the mean around it, in deviations.
function contrast(value, sigma) {
  const radius = Math.round((3 * sigma) / 4);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-0.5 * ((i - radius) / (sigma / 4)) ** 2));
  const around = (line) => smoothed(summed(line), weights);
  const [number, total, squares] = [() => 1, (v) => v, (v) => v * v].map((power) =>
    alongBoth(value.map((row) => row.map(power)), around, around),
  );
  const mean = total.map((row, y) => row.map((sum, x) => sum / number[y][x]));
  const deviation = squares.map((row, y) =>
    row.map((sum, x) => Math.sqrt(Math.max(sum / number[y][x] - mean[y][x] ** 2, 0) + 0.02 ** 2)),
  );
  const [wide, high] = [value[0].length, value.length].map((edge) => (line) => enlarged(line, edge));
  const [means, deviations] = [mean, deviation].map((map) => alongBoth(map, wide, high));
  return value.map((row, y) => row.map((v, x) => (v - means[y][x]) / deviations[y][x]));
}

const clipped = (rows, limit) => rows.map((row) => row.map((v) => Math.min(Math.max(v, -limit), limit)));

const transposed = (rows) => rows[0].map((_, x) => rows.map((row) => row[x]));

const alongBoth = (rows, ofRow, ofColumn) =>
  transposed(transposed(rows.map((row) => ofRow(row))).map((column) => ofColumn(column)));

// Sums over squares of 4 px.
const summed = (line) =>
  Array.from({ length: Math.ceil(line.length / 4) }, (_, i) => line.slice(4 * i, 4 * i + 4).reduce((a, b) => a + b));

function smoothed(line, weights) {
  const radius = (weights.length - 1) / 2, sum = weights.reduce((a, b) => a + b);
  return line.map((_, at) => weights.reduce((total, w, i) => total + (w / sum) * (line[at + i - radius] ?? 0), 0));
}

// Squares of 4 px interpolated to pixels.
function enlarged(line, edge) {
  return Array.from({ length: edge }, (_, pixel) => {
    const at = Math.min(Math.max((pixel + 0.5) / 4 - 0.5, 0), line.length - 1), below = Math.floor(at);
    return line[below] + (line[Math.ceil(at)] - line[below]) * (at - below);
  });
}

if (globalThis.process?.argv[1]?.endsWith("use-the-model.mjs")) {
  const { readFileSync, writeFileSync } = await import("node:fs");
  const [model, plane, height, width, out] = process.argv.slice(2);
  const levels = new Float32Array(new Uint8Array(readFileSync(plane)).buffer);
  const found = await mask(new Uint8Array(readFileSync(model)), levels, Number(height), Number(width));
  writeFileSync(out, found);
  console.log(`${((100 * found.reduce((a, b) => a + b, 0)) / found.length).toFixed(1)}% of the pixels belong to beads`);
}
