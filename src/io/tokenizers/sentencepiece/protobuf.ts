// The wire format of protocol buffers: numbered fields, each a number or a run of bytes.
import { LoadError } from "../../../tensor/errors.ts";

export interface Field {
  readonly number: number;
  /** A varint, or bytes: 4 or 8 of a number of fixed width, or the content of a string or message. */
  readonly value: number | Uint8Array;
}

const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

/** The fields of a message, in order. Throws a LoadError where the bytes end inside a field. [sentencepiece.protobuf] */
export function* fieldsOf(bytes: Uint8Array, name: string): Generator<Field> {
  const damaged = (): LoadError =>
    new LoadError(`${name}: this is no SentencePiece model, or it is damaged  [sentencepiece.protobuf]`);
  let at = 0;
  const varint = (): number => {
    let [low, high] = [0, 0]; // 28 and 36 bits: their sum would round −1, which has 64
    for (let i = 0; i < 10; i++) {
      const byte = bytes[at++];
      if (byte === undefined) throw damaged();
      if (i < 4) low += (byte & 0x7f) * 128 ** i;
      else high += (byte & 0x7f) * 128 ** (i - 4);
      if (byte >= 0x80) continue;
      const signed = high < 2 ** 35 ? high : (high % 2 ** 36) - 2 ** 36; // [sentencepiece.integers]
      return signed * 2 ** 28 + low;
    }
    throw damaged();
  };
  const take = (length: number): Uint8Array => {
    if (length < 0 || length > bytes.length - at) throw damaged();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    if (number <= 0) throw damaged();
    if (type === VARINT) yield { number, value: varint() };
    else if (type === BYTES) yield { number, value: take(varint()) };
    else if (type === FIXED32) yield { number, value: take(4) };
    else if (type === FIXED64) yield { number, value: take(8) };
    else throw damaged();
  }
}

/** The most fields of a message: more than those of a model of the most pieces. */
const MOST_FIELDS = 2 ** 20;

/** A message as a map from field number to the last value, and the values of repeated fields. */
export class Message {
  readonly #name: string;
  readonly #values = new Map<number, Field["value"][]>();

  constructor(bytes: Uint8Array, name: string) {
    this.#name = name;
    let count = 0;
    for (const { number, value } of fieldsOf(bytes, name)) {
      if (++count > MOST_FIELDS)
        throw new LoadError(
          `${name}: a message has more than ${MOST_FIELDS} fields, so that this is no SentencePiece model  [sentencepiece.protobuf]`,
        );
      const values = this.#values.get(number);
      if (values === undefined) this.#values.set(number, [value]);
      else values.push(value);
    }
  }

  all(number: number): readonly Field["value"][] {
    return this.#values.get(number) ?? [];
  }

  integer(number: number, otherwise: number): number {
    const value = this.all(number).at(-1) ?? otherwise;
    if (typeof value !== "number") throw this.#wrong(number);
    return value;
  }

  boolean(number: number, otherwise: boolean): boolean {
    return this.integer(number, otherwise ? 1 : 0) !== 0;
  }

  bytes(number: number): Uint8Array {
    const value = this.all(number).at(-1) ?? new Uint8Array();
    if (typeof value === "number") throw this.#wrong(number);
    return value;
  }

  text(number: number, otherwise: string): string {
    return this.all(number).length === 0 ? otherwise : new TextDecoder().decode(this.bytes(number));
  }

  float(number: number): number {
    const bytes = this.bytes(number);
    if (bytes.length === 0) return 0;
    if (bytes.length !== 4) throw this.#wrong(number);
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  }

  message(number: number): Message {
    return new Message(this.bytes(number), this.#name);
  }

  #wrong(number: number): LoadError {
    return new LoadError(
      `${this.#name}: field ${number} has another type than in SentencePiece's models  [sentencepiece.protobuf]`,
    );
  }
}
