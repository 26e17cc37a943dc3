// Whether the command line's streams show colour, and how wide they are.
import { type Paint, painter, showsColour } from "../terminal/colour.ts";

/** Whether a stream of this process shows colour. */
export const colourOn = (stream: NodeJS.WriteStream): boolean => showsColour(stream, process.env);

export const paintOn = (stream: NodeJS.WriteStream): Paint => painter(colourOn(stream));

/** The columns of a stream's terminal: 80 where there is none, at least 60. */
export const widthOn = ({ columns }: NodeJS.WriteStream): number => Math.max(60, columns || 80);
