// Words by which the tokenizer of captions knows that a period belongs to a word (Stanford CoreNLP 3.4.1, PTBTokenizer): recorded from the program for
// all words of up to five letters, and for those of an English dictionary.

const list = (words: string): string[] => words.trim().split(/\s+/);

/** Abbreviations that keep their period. */
export const ABBREVIATIONS = list(`
  adj adm adv alex assoc asst atty attys ave brig capt cf cie cmdr col comdr cpl dept det dr drs elec ens ft gen gov govs hon insp invt jos lieut lt maj messrs
  mlle mme mr mrs ms msgr mt natl pfc ph pres prof profs pvt rep reps rev sen sens sfc sgt spc st ste supt supts treas v vs wm`);

/** Abbreviations that often end a sentence. They keep their period even where a letter follows without a space. */
export const FINAL_ABBREVIATIONS = list(`
  al ala apr ariz assn aug bancorp bhd bldg blvd bros calif co colo conn corp cos ct dak dec esq est etc ext feb fla fri ga inc ind intl jan jr jul jun kan kans
  ky ltd mar md mich minn mo mon mont neb nev nov oct okla penn plc rd rt sep sept seq sq sr sys tel tenn thu thurs tue tues univ va vt wed wis wisc wyo`);

/** Abbreviations of that kind which are words too: with a capital, the names of states. */
export const CAPITAL_ABBREVIATIONS = list("Ark Az Del Ill La Mass Miss Ore Pa Tex Wash");

/** Abbreviations only before a number. */
export const NUMBERED_ABBREVIATIONS = list("art ca fig figs no nos op pp prop");

/** Words with a capital before which a single letter and its period are two tokens: a sentence begins there. */
export const STARTERS = list(`
  A According Additionally After An As At But Earlier He Her Here However If In It Last Many More Now Once One Other Our She Since So Some Such That The
  Their Then There These They This We What When While Yet You About Mr. Ms.`);
