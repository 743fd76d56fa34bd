// Reads arrays with zarrita, in the order in which they are stored.
//
//     node read_array.mjs JOBS.json
//
// JOBS.json is a list of [array directory, file for the samples].

import { readFileSync, writeFileSync } from "node:fs";
import FileSystemStore from "@zarrita/storage/fs";
import * as zarr from "zarrita";

for (const [array, samples] of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const opened = await zarr.open.v3(new FileSystemStore(array), { kind: "array" });
  const { data } = await zarr.get(opened);
  writeFileSync(samples, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
