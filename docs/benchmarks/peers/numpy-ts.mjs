// numpy-ts.
export async function numpy() {
  const np = await import("numpy-ts");
  return async (a, b, [m, k, n]) => {
    const array = (values, shape) => np.array(values, "float32").reshape(...shape);
    const [left, right] = [array(a, [m, k]), array(b, [k, n])];
    return async () => np.matmul(left, right).data;
  };
}
