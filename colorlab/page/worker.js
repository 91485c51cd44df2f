// The worker: holds the model and the photos, does one job after the other (engine.js waits).

import { Album } from "./album.js"
import { fetched } from "./fetched.js"
import { Network } from "./network.js"

let album

const tasks = {
    async open() {
        const settings = await (await fetched("settings.json")).json()
        const report = (progress) => postMessage({ progress })
        const network = await Network.open(settings, report)
        album = new Album(settings, network)
        return { settings, backend: network.backend }
    },
    read: ({ blob }) => album.read(blob),
    color: ({ id, ...how }) => album.color(id, how),
    gray: ({ id }) => album.gray(id),
    suggest: ({ id, x, y, hints }) => album.suggest(id, x, y, hints),
    encode: ({ id, type }) => album.encode(id, type),
    close: ({ id }) => album.close(id),
}

onmessage = async ({ data: { task, given } }) => {
    try {
        const answer = await tasks[task](given)
        postMessage({ answer }, bitmaps(answer))
    } catch (error) {
        postMessage({ error: { name: error?.name ?? "Error", message: error?.message ?? String(error) } })
    }
}

/** What is handed over instead of copied. */
function bitmaps(answer) {
    return [answer, answer?.picture].filter((one) => one instanceof ImageBitmap)
}
