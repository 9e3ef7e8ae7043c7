// Files that callers store to attach them to messages: what they are in the table, their bytes in the blobs, each file in a scope of
// its own, so that deleting one never takes another's bytes.
import { GatewayError } from "../model/error.ts";
import { asNumber, asString } from "../model/json.ts";
import { fileKey, filePartition, fileScope } from "./keys.ts";
import type { Caller, ThreadStore } from "./store.ts";

export type StoredFile = {
  id: string;
  mimeType: string;
  filename: string;
  /** Bytes. */
  size: number;
  /** Unix milliseconds. */
  createdAt: number;
};

export type NewFile = { bytes: Uint8Array; mimeType: string; filename: string };

type Found = { file: StoredFile; hash: string };

const fileNotFound = (param: string): GatewayError => new GatewayError("not_found", "No such file.", { param });

const find = async (store: ThreadStore, caller: Caller, id: string, param: string): Promise<Found> => {
  const item = await store.table.get({ pk: filePartition(caller.space, caller.owner), sk: fileKey(id) });
  if (item === undefined) throw fileNotFound(param);
  const { data } = item;
  return {
    file: {
      id,
      mimeType: asString(data["mimeType"]) ?? "application/octet-stream",
      filename: asString(data["filename"]) ?? id,
      size: asNumber(data["size"]) ?? 0,
      createdAt: asNumber(data["createdAt"]) ?? 0,
    },
    hash: asString(data["hash"]) ?? "",
  };
};

/** The bytes are kept when the item names them: a file that can be found can be read. */
export const storeFile = async (store: ThreadStore, caller: Caller, file: NewFile): Promise<StoredFile> => {
  const { bytes, mimeType, filename } = file;
  const id = `file_${store.newId()}`;
  const stored = { mimeType, filename, size: bytes.length, createdAt: store.clock.now() };
  const hash = await store.blobs.put(fileScope(caller.space, id), bytes);
  await store.table.put(
    { pk: filePartition(caller.space, caller.owner), sk: fileKey(id), data: { ...stored, hash } },
    { item: "absent" },
  );
  return { id, ...stored };
};

/** A file of another owner is as if it weren't there. `param` is the field that named it. */
export const findFile = async (
  store: ThreadStore,
  caller: Caller,
  id: string,
  param = "file_id",
): Promise<StoredFile> => (await find(store, caller, id, param)).file;

export const readFile = async (
  store: ThreadStore,
  caller: Caller,
  id: string,
  param = "file_id",
): Promise<{ file: StoredFile; bytes: Uint8Array }> => {
  const { file, hash } = await find(store, caller, id, param);
  const bytes = await store.blobs.get(fileScope(caller.space, id), hash);
  // Its deletion was begun, and will be ended by whoever asks for it again.
  if (bytes === undefined) throw fileNotFound(param);
  return { file, bytes };
};

/** Messages that it was attached to keep what they hold. */
export const deleteFile = async (store: ThreadStore, caller: Caller, id: string): Promise<void> => {
  const { hash } = await find(store, caller, id, "file_id");
  await store.blobs.delete(fileScope(caller.space, id), hash);
  await store.table.delete({ pk: filePartition(caller.space, caller.owner), sk: fileKey(id) });
};
