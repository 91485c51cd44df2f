// The note that the colors are made: XMP, put into a JPEG or a PNG right behind its head.

const JPEG_NAME = "http://ns.adobe.com/xap/1.0/\0" // XMP specification, part 3, section 1.1.3
const PNG_NAME = "XML:com.adobe.xmp\0\0\0\0\0" // part 3, 1.1.5: not compressed, no language

/**
 * @param file bytes of a JPEG or a PNG
 * @param packet of XMP, as text
 * @returns parts of the file with it, for a Blob
 */
export function marked(file, packet) {
    const bytes = (text) => new TextEncoder().encode(text)
    if (file[0] === 0xff) return inJpeg(file, bytes(JPEG_NAME + packet))
    return inPng(file, bytes(PNG_NAME + packet))
}

/** As segment APP1, behind APP0 where there is one (ITU-T T.81, B.1.1.4). */
function inJpeg(file, content) {
    const view = new DataView(file.buffer, file.byteOffset)
    const at = view.getUint16(2) === 0xffe0 ? 4 + view.getUint16(4) : 2
    const head = new DataView(new ArrayBuffer(4))
    head.setUint16(0, 0xffe1)
    head.setUint16(2, content.length + 2)
    return [file.subarray(0, at), head.buffer, content, file.subarray(at)]
}

/** As chunk iTXt, behind IHDR (PNG, section 11.3.3.4). */
function inPng(file, content) {
    const at = 8 + 12 + 13
    const chunk = new Uint8Array(12 + content.length)
    const view = new DataView(chunk.buffer)
    view.setUint32(0, content.length)
    chunk.set([..."iTXt"].map((letter) => letter.charCodeAt(0)), 4)
    chunk.set(content, 8)
    view.setUint32(8 + content.length, crc(chunk.subarray(4, 8 + content.length)))
    return [file.subarray(0, at), chunk, file.subarray(at)]
}

/** CRC-32 (PNG, annex D). */
function crc(bytes) {
    let rest = 0xffffffff
    for (const byte of bytes) {
        rest ^= byte
        for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
    }
    return ~rest >>> 0
}
