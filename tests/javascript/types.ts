// What a front end does with the types that openapi-typescript generates: it has to compile.

import type { components, operations } from "./schema";

type Post = components["schemas"]["PostRead"];
type Codes = operations["changePassword"]["responses"][400]["content"]["application/problem+json"]["code"];

export const wrong: Codes = "wrong_password";
// @ts-expect-error - not an error of this operation
export const other: Codes = "username_taken";

export function heading({ title, status, author }: Post): string {
  const draft: components["schemas"]["PostStatus"] = "draft";
  return status === draft ? `${title} (draft)` : `${title} by ${author.display_name}`;
}

// What has a default may be left out of a request, and is in every answer.
export const written: components["schemas"]["PostCreate"] = { title: "Hello", body: "My *first* post." };
export const everywhere: components["schemas"]["SignOut"] = {};
export const status = (post: Post): string => post.status;

export const filter: NonNullable<operations["listPosts"]["parameters"]["query"]> = { status: "any", limit: 5 };
// @ts-expect-error - a parameter is left out, not null
filter.author = null;
