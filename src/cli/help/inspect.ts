// The help text of `flamboyance inspect`.

export const INSPECT = `flamboyance inspect: serves the inspector, a page that draws masks

The page shows which token attends to which image under each convention. It is
served to this computer only and needs no network. Its address holds its state,
so a link shows what you see. A second page, speed.html, measures the kernels in
the browser; served by this command, its threads can share memory.

Options
  --port N            the port (default: any free one)
  --json              print {"address"} as one document instead of a sentence

Exit status
  0 ended by a signal   2 the page could not be served   3 usage

Example
  flamboyance inspect --port 8080
`;
