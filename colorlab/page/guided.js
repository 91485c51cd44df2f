// He and Sun, "Fast Guided Filter" (arXiv:1505.00996), algorithm 2, as
// colorlab.colorize.guided_coefficients has it: local lines ab = slope * L + offset.

/**
 * @param lightness (h, w) in [-1, 1]
 * @param ab (2, h, w)
 * @returns Float32Array (h, w, 4): slope of a, slope of b, offset of a, offset of b
 */
export function guidedCoefficients(lightness, ab, height, width, { radius, epsilon }) {
    const n = height * width
    const mean = (values) => boxMean(values, height, width, radius)
    const times = (one, other) => Float64Array.from(one, (value, i) => value * other[i])
    const meanL = mean(lightness)
    const meanLL = mean(times(lightness, lightness))
    const lines = new Float32Array(n * 4)
    for (const channel of [0, 1]) {
        const plane = ab.subarray(channel * n, (channel + 1) * n)
        const meanAb = mean(plane)
        const meanLAb = mean(times(lightness, plane))
        const slope = new Float64Array(n)
        const offset = new Float64Array(n)
        for (let i = 0; i < n; i++) {
            const variance = Math.max(meanLL[i] - meanL[i] ** 2, 0)
            slope[i] = (meanLAb[i] - meanL[i] * meanAb[i]) / (variance + epsilon)
            offset[i] = meanAb[i] - slope[i] * meanL[i]
        }
        mean(slope).forEach((value, i) => (lines[i * 4 + channel] = value))
        mean(offset).forEach((value, i) => (lines[i * 4 + 2 + channel] = value))
    }
    return lines
}

/** The mean over windows of 2 * radius + 1 pixels; at the edge, of the part inside. */
function boxMean(values, height, width, radius) {
    const rows = new Float64Array(values.length)
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
            const [from, to] = [Math.max(x - radius, 0), Math.min(x + radius, width - 1)]
            let sum = 0
            for (let i = from; i <= to; i++) sum += values[y * width + i]
            rows[y * width + x] = sum / (to - from + 1)
        }
    }
    const out = new Float64Array(values.length)
    for (let y = 0; y < height; y++) {
        const [from, to] = [Math.max(y - radius, 0), Math.min(y + radius, height - 1)]
        for (let i = from; i <= to; i++) {
            for (let x = 0; x < width; x++) out[y * width + x] += rows[i * width + x]
        }
        for (let x = 0; x < width; x++) out[y * width + x] /= to - from + 1
    }
    return out
}
