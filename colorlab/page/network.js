// The model in onnxruntime-web: fetched with a count of the bytes, run on WebGPU where there is an
// adapter, else in WASM, which is also faster than WebGPU that a processor plays.

import { fetched } from "./fetched.js"

const MOST_THREADS = 4

export class Network {
    /** @param report called with {loaded, total} in bytes */
    static async open(settings, report) {
        const { model } = settings
        const progress = new Progress(report, model.bytes)
        const weights = progress.fetch(model.file, model.bytes)
        if (await hasAdapter()) {
            try {
                return await start("webgpu", settings, weights, progress)
            } catch (error) {
                console.warn("WebGPU failed, WASM takes its place:", error)
            }
        }
        return start("wasm", settings, weights, progress)
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
        const adapter = await navigator.gpu?.requestAdapter()
        return Boolean(adapter) && !adapter.info?.isFallbackAdapter
    } catch {
        return false
    }
}

async function start(provider, settings, weights, progress) {
    const { model, trial } = settings
    const { module, binary, bytes } = settings.runtime[provider]
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
    const options = { executionProviders: [provider], logSeverityLevel: 3 } // errors alone
    const session = await ort.InferenceSession.create(onnx, options)
    const words = provider === "webgpu" ? "WebGPU" : `WASM, ${threads} thread${threads > 1 ? "s" : ""}`
    const network = new Network(ort, session, model, words)
    if (provider === "webgpu") await tryOut(network, trial)
    return network
}

/** One run whose result settings.json knows: drivers of graphics cards differ in what they compute. */
async function tryOut(network, trial) {
    const { height, width } = trial
    const n = height * width
    const lightness = Float32Array.from({ length: n }, (_, i) => Math.sin(i / trial.period))
    const { ab } = await network.run(lightness, new Float32Array(3 * n), null, height, width)
    if (!agrees(ab, trial)) throw new Error("it computes other colors than the library")
}

export function agrees(ab, { every, ab: wanted, tolerance }) {
    return wanted.every((value, i) => Math.abs(ab[i * every] - value) <= tolerance)
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
    return `${name} has another length than settings.json says. Reload the page. If that does not help, clear its stored data.`
}
