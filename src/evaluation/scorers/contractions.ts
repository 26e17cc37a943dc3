// Contractions that annotators write without an apostrophe: the table of the official VQA evaluation (GT-Vision-Lab/VQA, vqaEval.py).

const WRITTEN = `
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd how'll how's
I'd've I'm I've isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't
she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's something'd
something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've
weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've`;

/** A word without each of its apostrophes in turn. */
const withoutOne = (word: string): string[] =>
  [...word.matchAll(/'/g)].map(({ index }) => word.slice(0, index) + word.slice(index + 1));

/**
 * Spellings and how they are written. Each lacks one apostrophe; the table has one entry the other way round, and it has neither "let's" nor
 * "she's" without theirs. Spellings with a capital never match, because answers are in lower case.
 */
export const contractions: ReadonlyMap<string, string> = new Map([
  ...WRITTEN.trim()
    .split(/\s+/)
    .flatMap((word) => withoutOne(word).map((spelling): [string, string] => [spelling, word])),
  ["somebody'd", "somebodyd"],
]);
