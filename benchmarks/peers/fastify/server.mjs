// The same answers the way Fastify applications give them: a JSON schema for what comes in and what
// goes out, @fastify/jwt, a pool of node-postgres with named statements. The tables are Plaza's.

import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'

import jwt from '@fastify/jwt'
import Fastify from 'fastify'
import markdownIt from 'markdown-it'
import pg from 'pg'
import sanitizeHtml from 'sanitize-html'
import { v7 as uuid7 } from 'uuid'

const { DATABASE_URL, DATA_DIR, PORT, PUBLIC_URL } = process.env
const PAGE = 20
const CACHED_TOKENS = 10_000

// A Date has milliseconds; the answers have microseconds. The session's time zone is UTC.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => {
  const [seconds, fraction] = text.slice(0, -'+00'.length).replace(' ', 'T').split('.')
  return fraction ? `${seconds}.${fraction.padEnd(6, '0')}Z` : `${seconds}Z`
})
const db = new pg.Pool({ connectionString: DATABASE_URL, max: 10, options: '-c TimeZone=UTC' })

const AUTHOR = 'u.id AS author_id, u.username, u.display_name'
const SUMMARY = `
  p.id, p.slug, p.title, p.summary, p.status, p.tags, p.version, p.created_at, p.updated_at,
  p.published_at, p.publish_at, p.likes_count, p.comments_count
`
const LIST_POSTS = {
  name: 'list-posts',
  text: `
    SELECT ${SUMMARY}, ${AUTHOR} FROM posts p JOIN users u ON u.id = p.author_id
    WHERE p.status = 'published' AND p.deleted_at IS NULL
    ORDER BY p.published_at DESC, p.id DESC LIMIT ${PAGE + 1}
  `,
}
const READ_POST = {
  name: 'read-post',
  text: `
    SELECT ${SUMMARY}, p.body, p.body_html, ${AUTHOR}
    FROM posts p JOIN users u ON u.id = p.author_id
    WHERE p.id = $1 AND p.status = 'published' AND p.deleted_at IS NULL
  `,
}
const READ_CALLER = {
  name: 'read-caller',
  text: `
    SELECT u.id, u.email, u.email_verified_at IS NOT NULL AS email_verified,
      u.email_undeliverable_at, u.username, u.requested_username, u.display_name, u.bio, u.locale,
      u.roles, u.mfa_enabled, u.posts_count, u.version, u.created_at, u.updated_at
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = $1 AND s.user_id = $2 AND s.ended_at IS NULL AND s.expires_at > now()
      AND u.is_active
  `,
}
const CREATE_POST = {
  name: 'create-post',
  text: `
    WITH p AS (
      INSERT INTO posts (
        id, author_id, slug, title, summary, body, body_html, status, tags, version, created_at,
        updated_at
      )
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, now(), now())
      RETURNING *
    ), taken AS (
      INSERT INTO post_slugs (slug, post_id, taken_at) SELECT slug, id, created_at FROM p
    )
    SELECT ${SUMMARY}, p.body, p.body_html FROM p
  `,
}

const text = { type: 'string' }
const textOrNull = { type: ['string', 'null'] }
const integer = { type: 'integer' }
const boolean = { type: 'boolean' }
const texts = { type: 'array', items: text }
const author = {
  type: 'object',
  properties: { id: text, username: text, display_name: text, avatar_url: textOrNull },
}
const summary = {
  type: 'object',
  properties: {
    id: text,
    slug: text,
    title: text,
    summary: text,
    status: text,
    tags: texts,
    author,
    version: integer,
    created_at: text,
    updated_at: text,
    published_at: textOrNull,
    publish_at: textOrNull,
    likes_count: integer,
    comments_count: integer,
    cover_url: textOrNull,
    liked: boolean,
    bookmarked: boolean,
  },
}
const post = {
  type: 'object',
  properties: { ...summary.properties, body: text, body_html: text },
}
const page = {
  type: 'object',
  properties: { items: { type: 'array', items: summary }, next_cursor: textOrNull },
}
const account = {
  type: 'object',
  properties: {
    id: text,
    email: text,
    email_verified: boolean,
    email_undeliverable_at: textOrNull,
    username: text,
    requested_username: textOrNull,
    display_name: text,
    bio: text,
    locale: text,
    roles: texts,
    mfa_enabled: boolean,
    avatar_url: textOrNull,
    posts_count: integer,
    version: integer,
    created_at: text,
    updated_at: text,
  },
}
const newPost = {
  type: 'object',
  required: ['title', 'body'],
  additionalProperties: false,
  properties: {
    title: { type: 'string', minLength: 1, maxLength: 200 },
    body: { type: 'string', minLength: 1, maxLength: 100_000 },
    summary: { type: 'string', maxLength: 500, default: '' },
    tags: {
      type: 'array',
      maxItems: 10,
      default: [],
      items: { type: 'string', minLength: 1, maxLength: 40 },
    },
    status: { type: 'string', enum: ['draft'], default: 'draft' },
  },
}
const postId = {
  type: 'object',
  properties: { id: { type: 'string', format: 'uuid' } },
}

const markdown = markdownIt('commonmark', { html: false }).enable('strikethrough')
const sanitizing = {
  allowedTags: [...sanitizeHtml.defaults.allowedTags, 'img', 'del'],
  allowedSchemes: ['http', 'https', 'mailto'],
}

function shown({ author_id, username, display_name, ...row }) {
  return {
    ...row,
    author: { id: author_id, username, display_name, avatar_url: null },
    cover_url: null,
    liked: false,
    bookmarked: false,
  }
}

// The microseconds since 1970 and the id of a page's last post.
function cursor({ published_at, id }) {
  const milliseconds = BigInt(Date.parse(published_at))
  const cursor = Buffer.alloc(24)
  cursor.writeBigInt64BE(milliseconds * 1000n + BigInt(published_at.slice(23, 26)))
  cursor.write(id.replaceAll('-', ''), 8, 'hex')
  return cursor.toString('base64url')
}

function slug(title) {
  const stem = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').slice(0, 80)
  return stem.replaceAll(/^-+|-+$/g, '') || 'post'
}

const app = Fastify()
const key = createPublicKey(readFileSync(`${DATA_DIR}/secrets/jwt_private_key.pem`))
app.register(jwt, {
  secret: { public: key.export({ type: 'spki', format: 'pem' }) },
  verify: {
    algorithms: ['ES256'],
    checkTyp: 'at+jwt',
    allowedIss: PUBLIC_URL,
    allowedAud: PUBLIC_URL,
    cache: CACHED_TOKENS,
  },
})
app.decorateRequest('caller', null)

async function authenticate(request, reply) {
  await request.jwtVerify()
  const { sid, sub } = request.user
  const { rows } = await db.query({ ...READ_CALLER, values: [sid, sub] })
  if (!rows.length) return reply.code(401).send()
  request.caller = rows[0]
}

app.get('/api/v1/posts', { schema: { response: { 200: page } } }, async () => {
  const { rows } = await db.query(LIST_POSTS)
  const items = rows.slice(0, PAGE)
  return {
    items: items.map(shown),
    next_cursor: rows.length > PAGE ? cursor(items.at(-1)) : null,
  }
})

app.get(
  '/api/v1/posts/:id',
  { schema: { params: postId, response: { 200: post } } },
  async (request, reply) => {
    const { rows } = await db.query({ ...READ_POST, values: [request.params.id] })
    return rows.length ? shown(rows[0]) : reply.code(404).send()
  },
)

app.get(
  '/api/v1/users/me',
  { onRequest: authenticate, schema: { response: { 200: account } } },
  async (request) => ({ ...request.caller, avatar_url: null }),
)

app.post(
  '/api/v1/posts',
  { onRequest: authenticate, schema: { body: newPost, response: { 201: post } } },
  async (request, reply) => {
    const { title, summary, body, status, tags } = request.body
    const { id: author_id, username, display_name } = request.caller
    const html = sanitizeHtml(markdown.render(body), sanitizing)
    const values = [uuid7(), author_id, slug(title), title, summary, body, html, status, tags]
    const { rows } = await db.query({ ...CREATE_POST, values })
    reply.code(201)
    return shown({ ...rows[0], author_id, username, display_name })
  },
)

await app.listen({ host: '127.0.0.1', port: Number(PORT) })
