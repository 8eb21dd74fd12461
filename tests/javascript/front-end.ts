// What a front end does with the client that @hey-api/openapi-ts generates: it has to compile, and
// its last lines run against a server, whose address, username and password are the arguments.

import {
  changePassword,
  createPost,
  getCookieSession,
  listPosts,
  requestToken,
  updateMe,
  type FieldError,
  type PostListItem,
  type PostStatus,
} from "./client";
import { client } from "./client/client.gen";

export async function signIn(username: string, password: string): Promise<string> {
  const { data, error } = await requestToken({ body: { grant_type: "password", username, password } });
  if (data) return data.access_token;
  if (error.code === "mfa_required") return error.mfa_token;
  throw new Error(error.detail ?? error.title);
}

export async function* everyPost(status: PostStatus): AsyncGenerator<PostListItem> {
  let cursor: string | undefined;
  do {
    const { data } = await listPosts({ query: { status, cursor, limit: 100 }, throwOnError: true });
    yield* data.items;
    cursor = data.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

export async function publish(title: string, body: string): Promise<string | FieldError[]> {
  const { data, error, response } = await createPost({
    body: { title, body, status: "published" },
    headers: { "Idempotency-Key": crypto.randomUUID() },
  });
  if (data) return data.slug;
  if (error.code === "validation_error") return error.errors;
  throw new Error(`${response?.headers.get("Retry-After") ?? ""} ${error.title}`);
}

export async function rename(username: string, version: string): Promise<"ok" | "taken" | "changed"> {
  const { error } = await updateMe({ body: { username }, headers: { "If-Match": version } });
  switch (error?.code) {
    case undefined:
      return "ok";
    case "username_taken":
    case "username_reserved":
      return "taken";
    case "precondition_failed":
      return "changed";
    default:
      throw new Error(error?.title);
  }
}

export async function whoIsSignedIn(): Promise<string | null> {
  const { data } = await getCookieSession({ credentials: "include" });
  return data?.user?.username ?? null;
}

export async function setPassword(current_password: string, new_password: string): Promise<boolean> {
  const { error } = await changePassword({ body: { current_password, new_password } });
  // @ts-expect-error - no such code: a misspelt one is noticed
  if (error?.code === "wrong_pasword") return true;
  return error === undefined;
}

declare const process: { argv: string[] };

async function main([baseUrl, username, password]: string[]): Promise<void> {
  client.setConfig({ baseUrl });
  const token = await signIn(username, password);
  client.setConfig({ auth: token });
  const results = [await publish("Hello", "My *first* post."), await publish("", "")];
  const titles: string[] = [];
  for await (const post of everyPost("published")) titles.push(post.title);
  const changed = [await rename(`${username}2`, '"0"'), await rename(`${username}2`, "*")];
  console.log(JSON.stringify([...results, titles, changed, await setPassword("wrong", "wrong")]));
}

void main(process.argv.slice(2));
