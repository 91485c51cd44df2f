// The page works offline from its first load on. The service worker keeps all that passes through it,
// so it has to be in charge before the network's files are fetched.

const PATIENCE = 5000 // ms to wait for it; without it the page works too, but only online

/** Put the service worker of this version in charge; whether it is. */
export async function keepFiles(version) {
  const asked = new URL(`service.js?version=${encodeURIComponent(version)}`, document.baseURI).href
  try {
    const before = navigator.serviceWorker.controller
    await navigator.serviceWorker.register(asked)
    await inCharge(asked)
    if (!before && !crossOriginIsolated && self === top) await loadAnew()
    await Promise.all(loaded().map((address) => fetch(address)))
    return true
  } catch {
    return false // an old browser, a private window, an address without HTTPS
  }
}

/** The headers that the service worker adds allow threads, for a page that is loaded with them. */
async function loadAnew() {
  location.reload()
  await new Promise(() => {})
}

function inCharge(asked) {
  const { serviceWorker } = navigator
  return new Promise((resolve, reject) => {
    const look = () => serviceWorker.controller?.scriptURL === asked && resolve()
    serviceWorker.addEventListener("controllerchange", look)
    setTimeout(reject, PATIENCE)
    look()
  })
}

/** What the page has loaded until now: it went past the service worker at the first load. */
function loaded() {
  const links = Array.from(document.querySelectorAll("link[href]"), (link) => link.href)
  const resources = performance.getEntriesByType("resource").map((entry) => entry.name)
  const icons = ["icon-192.png", "icon-512.png"].map((name) => new URL(name, document.baseURI).href)
  const own = (address) => address.startsWith(location.origin) && !address.includes("service.js")
  return [...new Set([document.baseURI, ...links, ...resources, ...icons])].filter(own)
}
