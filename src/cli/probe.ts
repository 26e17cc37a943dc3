// flamboyance probe
export async function probe(_args: readonly string[]): Promise<number> {
  return 2;
}
