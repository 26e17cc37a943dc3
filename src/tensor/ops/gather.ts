// Rows of a table and elements of rows by integer ids, and the adjoint ops.
import { RuleError, ShapeError } from "../errors.ts";
import { flat, offsets, type Shape, sameSizes, shapeText, sizeOf, viewOf } from "../tensor.ts";
import type { Ids, Rule } from "./table.ts";

/** Throws a RuleError unless every id is the index of one of `rows` rows of a table, or of elements of a row; `of` says which. */
function checkIds(
  ids: Ids,
  rows: number,
  rule = "ops.gather",
  of = "rows of the table: enlarge it, or",
): void {
  if (!(ids?.data instanceof Int32Array))
    throw new RuleError("ids are integers: int(…) makes them from numbers", "notation.operands");
  const values = flat(ids);
  const at = values.findIndex((value) => value < 0 || value >= rows);
  if (at < 0) return; // [ops.gather] [ops.pick]
  const id = values[at];
  const message = `id ${id} at position ${at} is not among the ${rows} ${of} give ids from 0 to ${rows - 1}`;
  throw new RuleError(message, rule, { id, rows });
}

/** out[i…] = table[ids[i…]] */
export const gather: Rule<"gather"> = {
  shape: ({ ids }, table) => {
    checkIds(ids, table[0] ?? 0);
    return [...ids.shape, ...table.slice(1)];
  },
  compute: ({ ids }, table) => {
    const width = sizeOf(table.shape.slice(1));
    const from = flat(table);
    const out = new Float64Array(sizeOf(ids.shape) * width);
    flat(ids).forEach((id, i) => {
      out.set(from.subarray(id * width, (id + 1) * width), i * width);
    });
    return viewOf(out, [...ids.shape, ...table.shape.slice(1)]);
  },
};

/** Throws a ShapeError unless a number of rows, or the width of a row, is a whole number from 0 up. */
function checkCount(of: string, n: number, rule: string): void {
  if (!(Number.isSafeInteger(n) && n >= 0))
    throw new ShapeError(`${of} is ${String(n)}; it must be a whole number from 0 up  [${rule}]`);
}

/** out[r] = Σ over i with ids[i] = r of x[i]. The adjoint of `gather`. */
export const scatter: Rule<"scatter"> = {
  shape: ({ ids, rows }, x) => {
    checkCount("rows", rows, "ops.scatter");
    checkIds(ids, rows);
    if (ids.shape.some((n, i) => n !== x[i])) {
      throw new ShapeError(
        `${shapeText(x)} does not begin with the shape of the ids, ${shapeText(ids.shape)}  [ops.scatter]`,
      );
    }
    return [rows, ...x.slice(ids.shape.length)];
  },
  compute: ({ ids, rows }, x) => {
    const row = x.shape.slice(ids.shape.length);
    const width = sizeOf(row);
    const from = flat(x);
    const out = new Float64Array(rows * width);
    flat(ids).forEach((id, i) => {
      for (let j = 0; j < width; j++)
        out[id * width + j] = (out[id * width + j] ?? 0) + (from[i * width + j] ?? 0);
    });
    return viewOf(out, [rows, ...row]);
  },
};

/** Throws a ShapeError unless there is one id for each row of `width` elements, and each id is an element of its row. */
function checkPicks(ids: Ids, rows: Shape, width: number): void {
  checkIds(ids, width, "ops.pick", "elements of a row:");
  if (!sameSizes(ids.shape, rows))
    throw new ShapeError(
      `rows of shape ${shapeText(rows)} need one id each, not ids of shape ${shapeText(ids.shape)}  [ops.pick]`,
    );
}

/** out[i…] = x[i…, ids[i…]]: one element of each row. */
export const pick: Rule<"pick"> = {
  shape: ({ ids }, x) => {
    const width = x.at(-1);
    if (width === undefined) throw new ShapeError("a scalar has no rows to pick from  [ops.pick]");
    checkPicks(ids, x.slice(0, -1), width);
    return ids.shape;
  },
  compute: ({ ids }, x) => {
    const rows = offsets(x.shape.slice(0, -1), x.stride.slice(0, -1), x.offset);
    const step = x.stride.at(-1) ?? 0;
    const values = Float64Array.from(flat(ids), (id, i) => x.data[(rows[i] ?? 0) + id * step] ?? 0);
    return viewOf(values, ids.shape);
  },
};

/** out[i…, ids[i…]] = x[i…], in rows of `width` zeros. The adjoint of `pick`. */
export const place: Rule<"place"> = {
  shape: ({ ids, width }, x) => {
    checkCount("width", width, "ops.pick");
    checkPicks(ids, x, width);
    return [...x, width];
  },
  compute: ({ ids, width }, x) => {
    const values = flat(x);
    const out = new Float64Array(values.length * width);
    for (const [i, id] of flat(ids).entries()) out[i * width + id] = values[i] ?? 0;
    return viewOf(out, [...x.shape, width]);
  },
};
