/** A mistake in the command line itself: exit status 3. */
export class UsageError extends Error {
  override name = "UsageError";
}
