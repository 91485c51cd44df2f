// The model in onnxruntime-web: fetched with a count of the bytes, run on WebGPU where there is an
// adapter, else in WASM.

import { fetched } from "./fetched.js"

const MOST_THREADS = 4

export class Network {
    /** @param report called with {loaded, total} in bytes */
    static async open(settings, report) {
        const { model, runtime } = settings
        const progress = new Progress(report, model.bytes)
        const weights = progress.fetch(model.file, model.bytes)
        if (await hasAdapter()) {
            try {
                return await start(runtime.webgpu, "webgpu", weights, model, progress)
            } catch (error) {
                console.warn("WebGPU failed, WASM takes its place:", error)
            }
        }
        return start(runtime.wasm, "wasm", weights, model, progress)
    }

    constructor(ort, session, model, backend) {
        Object.assign(this, { ort, session, model, backend })
    }

    /**
     * @param lightness (h, w) in [-1, 1]
     * @param planes of the hints, (3, h, w); null where the model takes none
     * @param temperature null: as trained
     * @returns {ab: (2, h, w), logits: {data: (261, h, w), height, width} or null}
     */
    async run(lightness, planes, temperature, height, width) {
        const { Tensor } = this.ort
        const inputs = { lightness: new Tensor("float32", lightness, [1, 1, height, width]) }
        if (this.model.hints) {
            inputs.hints = new Tensor("float32", planes, [1, 3, height, width])
            inputs.temperature = new Tensor("float32", [temperature ?? -1], [1])
        }
        if (this.model.noise) {
            // The middle of all colorings; the library draws one.
            inputs.noise = new Tensor("float32", new Float32Array(this.model.noise), [1, this.model.noise])
        }
        const { ab, logits } = await this.session.run(inputs)
        const result = { ab: ab.data, logits: null }
        if (logits) {
            const [, , rows, columns] = logits.dims
            result.logits = { data: logits.data, height: rows, width: columns }
        }
        return result
    }
}

async function hasAdapter() {
    try {
        return Boolean(await navigator.gpu?.requestAdapter())
    } catch {
        return false
    }
}

async function start({ module, binary, bytes }, provider, weights, model, progress) {
    progress.total += bytes
    const [ort, wasm, onnx] = await Promise.all([
        import(new URL(module, import.meta.url)),
        progress.fetch(binary, bytes),
        weights,
    ])
    // Several threads share memory, which browsers allow an isolated page alone.
    const threads = crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1
    ort.env.wasm.numThreads = threads
    ort.env.wasm.wasmBinary = wasm
    ort.env.logLevel = "error"
    const session = await ort.InferenceSession.create(onnx, { executionProviders: [provider] })
    const words = provider === "webgpu" ? "WebGPU" : `WASM, ${threads} thread${threads > 1 ? "s" : ""}`
    const network = new Network(ort, session, model, words)
    if (provider === "webgpu") await tryOut(network)
    return network
}

/** One run at the size of most photos: it compiles what the photos need, and shows what fails. */
async function tryOut(network) {
    const { size, stride } = network.model
    const side = Math.max(Math.round(size / stride), 1) * stride
    const n = side * side
    const { ab } = await network.run(new Float32Array(n), new Float32Array(3 * n), null, side, side)
    if (!ab.every(Number.isFinite)) throw new Error("the prediction is not finite")
}

class Progress {
    loaded = 0

    constructor(report, total) {
        this.report = report
        this.total = total
    }

    /** A file of so many bytes, as Uint8Array. */
    async fetch(name, bytes) {
        const answer = await fetched(name)
        const reader = answer.body.getReader()
        const content = new Uint8Array(bytes)
        let at = 0
        for (;;) {
            const { done, value } = await reader.read()
            if (done) break
            if (at + value.length > bytes) throw new Error(stale(name))
            content.set(value, at)
            at += value.length
            this.loaded += value.length
            this.report({ loaded: this.loaded, total: this.total })
        }
        if (at < bytes) throw new Error(stale(name))
        return content
    }
}

function stale(name) {
    return `${name} has another length than settings.json says. Reload the page; if that does not help, clear its stored data.`
}
