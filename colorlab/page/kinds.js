// What a file is, from its first bytes: its size, what is odd about it, and what to say where the
// browser can't read it.

const DAMAGED = "The file is damaged or cut off. Download or copy it again, or save it as JPEG or PNG."
const NO_PHOTO = "This is not a photo that a browser can read. Choose a JPEG, PNG or WebP file."
const ANIMATED = "This is an animation. Only its first frame is colored."
const CUT = "The end of the file is missing. Check whether the lower part of the photo is complete."
const DEEP = "The photo has 16 bits a channel, and this page keeps 8. `colorlab colorize` keeps all 16."

/**
 * @param bytes of the whole file
 * @returns {problem} where there is no hope, else {unread: what to say if the browser can't decode
 *     it, notes: [text], width, height where they are easy to find, end: bytes that are missing}
 */
export function look(bytes) {
    if (!bytes.length) return { problem: "The file is empty (0 bytes). Download or copy it again." }
    const head = latin(bytes, 0, 64)
    const kind = KINDS.find(({ is }) => is(head))
    if (!kind) return { unread: NO_PHOTO, notes: [] }
    try {
        return { unread: kind.unread ?? DAMAGED, notes: [], ...kind.tell?.(bytes) }
    } catch (error) {
        if (error instanceof RangeError) return { problem: DAMAGED } // it ends in its head
        throw error
    }
}

const KINDS = [
    { is: (head) => head.startsWith("\xff\xd8\xff"), tell: jpeg },
    { is: (head) => head.startsWith("\x89PNG\r\n\x1a\n"), tell: png },
    { is: (head) => head.startsWith("GIF8"), tell: gif },
    { is: (head) => /^RIFF....WEBP/s.test(head), tell: webp },
    { is: (head) => head.startsWith("BM") },
    { is: (head) => /^....ftypavi[fs]/s.test(head), unread: "This browser can't read AVIF files. Save the photo as JPEG or PNG." },
    {
        is: (head) => /^....ftyp(hei|hev|mif1|msf1)/s.test(head),
        unread:
            "This is a HEIC photo, which this browser can't read. Save it as JPEG, or have the phone " +
            "take JPEGs (iPhone: Settings, Camera, Formats, Most Compatible).",
    },
    { is: (head) => /^....ftyp/s.test(head), unread: "This is a video. Choose a photo, or save one of its frames as a picture." },
    {
        is: (head) => /^(II[*+]\0|MM\0[*+])/.test(head),
        unread:
            "This is a TIFF or a camera's raw file, which browsers can't read. Save it as JPEG or PNG, " +
            "or color a TIFF on the command line: `colorlab colorize`.",
    },
    {
        is: (head) => /^\s*<(!doctype html|html)/i.test(head),
        unread: "This is a web page saved under a photo's name. Download the picture itself.",
    },
]

/** Segment by segment up to the pixels (ITU-T T.81, B.1.1.4). */
function jpeg(bytes) {
    const view = viewOf(bytes)
    let known = {}
    let at = 2
    for (;;) {
        const marker = view.getUint8(at + 1)
        if (view.getUint8(at) !== 0xff) return known
        if (marker === 0xff) {
            at += 1
            continue
        }
        // A frame's head: C0 to CF but for the tables DHT, JPG and DAC.
        if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
            known = { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
        }
        at += 2 + view.getUint16(at + 2)
        if (marker === 0xda) break
    }
    return hasEnd(bytes, at) ? known : { ...known, notes: [CUT], end: new Uint8Array([0xff, 0xd9]) }
}

function hasEnd(bytes, from) {
    for (let at = bytes.length - 2; at >= from; at--) {
        if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true
    }
    return false
}

function png(bytes) {
    const view = viewOf(bytes)
    const notes = view.getUint8(24) === 16 ? [DEEP] : []
    let kind = ""
    let at = 8
    while (at + 8 <= bytes.length && kind !== "IEND") {
        kind = latin(bytes, at + 4, 4)
        if (kind === "acTL") notes.push(ANIMATED)
        at += 12 + view.getUint32(at)
    }
    return { width: view.getUint32(16), height: view.getUint32(20), notes }
}

/** More than one block of pixels (GIF89a, section 20) makes an animation. */
function gif(bytes) {
    const view = viewOf(bytes)
    const table = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0)
    let frames = 0
    let at = 13 + table(view.getUint8(10))
    const skipBlocks = () => {
        while (bytes[at]) at += 1 + bytes[at]
        at += 1
    }
    while (at < bytes.length && frames < 2) {
        if (bytes[at] === 0x21) at += 2
        else if (bytes[at] === 0x2c) {
            frames += 1
            at += 11 + table(view.getUint8(at + 9))
        } else break
        skipBlocks()
    }
    const notes = frames > 1 ? [ANIMATED] : []
    return { width: view.getUint16(6, true), height: view.getUint16(8, true), notes }
}

function webp(bytes) {
    if (latin(bytes, 12, 4) !== "VP8X") return {}
    const view = viewOf(bytes)
    const size = (at) => 1 + (view.getUint32(at, true) & 0xffffff)
    const notes = view.getUint8(20) & 2 ? [ANIMATED] : []
    return { width: size(24), height: size(27), notes }
}

function viewOf(bytes) {
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function latin(bytes, from, length) {
    return String.fromCharCode(...bytes.subarray(from, from + length))
}
