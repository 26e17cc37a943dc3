// Writes libjpeg-turbo, as @cwasm/jpeg-turbo compiled it to WebAssembly, compressed into a TypeScript file that ships with the package.
// Run by hand after a change of that development dependency.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { deflateRawSync } from "node:zlib";

const require = createRequire(import.meta.url);
const folder = "@cwasm/jpeg-turbo";
const { version } = require(`${folder}/package.json`);
const module = readFileSync(require.resolve(`${folder}/jpeg-turbo.wasm`));
const text = deflateRawSync(module, { level: 9 }).toString("base64");
writeFileSync(
  "src/io/images/jpeg/bytes.ts",
  `// libjpeg-turbo from ${folder} ${version}, written by .ci/jpeg.mjs; do not edit. The module is text so that no file has to be fetched.
//
// ${folder} is distributed under the MIT License, libjpeg-turbo under the IJG License and the Modified BSD License below.
// This software is based in part on the work of the Independent JPEG Group.
//
// Copyright (C)1991-2019 The libjpeg-turbo Project and many others. All Rights Reserved.
//
// Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions
// are met:
// - Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.
// - Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following disclaimer in
//   the documentation and/or other materials provided with the distribution.
// - Neither the name of the libjpeg-turbo Project nor the names of its contributors may be used to endorse or promote products derived
//   from this software without specific prior written permission.
//
// THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS", AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT
// NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE
// COPYRIGHT HOLDERS OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES
// (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION)
// HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE)
// ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

/** The WebAssembly module, compressed (RFC 1951) and in base64, and its length in bytes. */
export const TURBO: string = "${text}";
export const TURBO_LENGTH = ${module.length};
`,
);
