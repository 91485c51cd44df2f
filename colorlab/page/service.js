// The service worker: the page and its network, kept for when there is no connection.
//
// Each file is asked for anew and taken from the cache where it has not changed, or where the server
// does not answer. So a page that is built again is never mixed with an older one. Its answers carry
// the headers that allow WASM threads, which a static host cannot send, and a policy that keeps every
// script, the worker's too, from other hosts.

const OURS = `colorlab ${registration.scope} `
const CACHE = OURS + new URL(location).searchParams.get("version")
const PATIENCE = 5000 // ms for the server's answer where the cache has one
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Content-Security-Policy":
    "default-src 'self' blob: data:; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:",
}

addEventListener("install", () => skipWaiting())

addEventListener("activate", (event) => event.waitUntil(Promise.all([clients.claim(), forget()])))

addEventListener("fetch", (event) => {
  const { method, url } = event.request
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event))
})

async function answer(event) {
  const { url, mode } = event.request
  const key = url.split(/[?#]/)[0]
  const cache = await caches.open(CACHE)
  const kept = await cache.match(key)
  try {
    const fresh = await ask(url, kept)
    if (fresh.status === 304) return withHeaders(kept)
    if (fresh.ok) event.waitUntil(cache.put(key, fresh.clone()))
    return withHeaders(fresh)
  } catch (error) {
    const instead = kept ?? (mode === "navigate" && (await cache.match(registration.scope)))
    if (!instead) throw error
    return withHeaders(instead)
  }
}

/** Ask the server, who says 304 where what is kept is still right. */
async function ask(url, kept) {
  const headers = new Headers()
  const [tag, date] = ["ETag", "Last-Modified"].map((name) => kept?.headers.get(name))
  if (tag) headers.set("If-None-Match", tag)
  else if (date) headers.set("If-Modified-Since", date)
  const late = new AbortController()
  const timer = kept && setTimeout(() => late.abort(), PATIENCE)
  try {
    return await fetch(url, { headers, cache: kept ? "no-store" : "no-cache", signal: late.signal })
  } finally {
    clearTimeout(timer)
  }
}

function withHeaders({ body, status, statusText, headers }) {
  const all = new Headers(headers)
  for (const [name, value] of Object.entries(HEADERS)) all.set(name, value)
  return new Response(body, { status, statusText, headers: all })
}

/** Delete what other versions of this page kept. */
async function forget() {
  const names = await caches.keys()
  const old = names.filter((name) => name.startsWith(OURS) && name !== CACHE)
  await Promise.all(old.map((name) => caches.delete(name)))
}
