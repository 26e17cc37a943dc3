// Rows of a table by integer ids, and the adjoint op.
import { ShapeError } from "../errors.ts";
import { flat, sizeOf, view } from "../tensor.ts";
import type { Ids, Rule } from "./table.ts";

function checkIds(ids: Ids, rows: number): void {
  const values = flat(ids);
  const wrong = values.findIndex((id) => id < 0 || id >= rows);
  if (wrong >= 0) {
    throw new ShapeError(
      `id ${values[wrong]} at position ${wrong} is not among the ${rows} rows of the table  [ops.gather]`,
    );
  }
}

/** out[i…] = table[ids[i…]] */
export const gather: Rule<"gather"> = {
  exact: true,
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
    return view(out, [...ids.shape, ...table.shape.slice(1)]);
  },
};

/** out[r] = Σ over i with ids[i] = r of x[i]. The adjoint of `gather`. */
export const scatter: Rule<"scatter"> = {
  shape: ({ ids, rows }, x) => {
    if (ids.shape.some((n, i) => n !== x[i])) {
      throw new ShapeError(
        `[${x.join(" ")}] does not begin with the shape of the ids, [${ids.shape.join(" ")}]  [ops.scatter]`,
      );
    }
    checkIds(ids, rows);
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
    return view(out, [rows, ...row]);
  },
};
