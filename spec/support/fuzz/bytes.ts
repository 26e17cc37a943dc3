// Damage to the bytes of a file: cut, overwritten, removed and inserted parts.
import fc from "fast-check";

type Damage = (bytes: Uint8Array) => Uint8Array;

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.nat().map(
    (at): Damage =>
      (bytes) =>
        bytes.slice(0, at % (bytes.length + 1)),
  ),
  fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 })).map(
    ([at, values]): Damage =>
      (bytes) => {
        const changed = bytes.slice();
        if (bytes.length > 0)
          changed.set(values.subarray(0, bytes.length - (at % bytes.length)), at % bytes.length);
        return changed;
      },
  ),
  fc.tuple(fc.nat(), fc.nat({ max: 20 }), fc.uint8Array({ maxLength: 20 })).map(
    ([at, removed, inserted]): Damage =>
      (bytes) => {
        const from = at % (bytes.length + 1);
        return Uint8Array.from([...bytes.slice(0, from), ...inserted, ...bytes.slice(from + removed)]);
      },
  ),
);

/** The file with one to three such changes. */
export const damagedBytes = (bytes: Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc
    .array(damage, { minLength: 1, maxLength: 3 })
    .map((list) => list.reduce((b, change) => change(b), bytes));
