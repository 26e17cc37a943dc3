// Reads a pickle to its end.
import type { ByteSource } from "#host";
import { Machine, type Names, type Value } from "./machine.ts";
import { opcodeOf } from "./opcodes.ts";
import type { Fail } from "./reader.ts";

/** The value of a pickle that fills the source. Bytes of arrays are not read. */
export function unpickle(source: ByteSource, names: Names, fail: Fail): Value {
  const machine = new Machine(source, names, fail);
  for (;;) {
    const byte = machine.reader.byte();
    const opcode = opcodeOf(byte);
    if (opcode === "stop") break;
    if (opcode === null) throw machine.broken(`has the byte ${byte} in place of an opcode`); // [pickle.opcodes]
    opcode(machine);
  }
  const value = machine.pop();
  if (machine.reader.at < source.size)
    throw fail(
      `${source.size - machine.reader.at} bytes follow the end of the pickle; a file holds one pickle`,
      "pickle.opcodes",
    );
  return value;
}
