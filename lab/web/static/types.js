// The shapes of the page's data: the JSON of lab up and lab explain, and the
// ladder that package ladder tells. See JSON.md. Types alone; nothing runs here.

/**
 * @typedef {'client'|'server'} Side
 * @typedef {{code: number, name: string, sent_by: Side, arrived?: boolean}} Alert
 * @typedef {{certificate: string, error: string, state?: string, learned?: string}} Party
 * @typedef {{version?: string, cipher_suite?: string, group?: string, alpn?: string,
 *   server_name?: string, resumed?: boolean}} Negotiated
 * @typedef {{code: string, text: string, tell: string}} Cause
 *
 * @typedef {object} Row an exchange in the list: a line of lab up --json
 * @property {number} id
 * @property {number} [like] id of an earlier row, which has all that is not here; see whole
 * @property {string} [title] in place of its number
 * @property {Side[]} [early] whose turn to show a certificate had not come
 * @property {Side[]} [hidden] of which nobody can read what they have shown
 * @property {number} exchange
 * @property {string} time
 * @property {string} client_addr
 * @property {string} server_addr
 * @property {string} outcome
 * @property {string} [how]
 * @property {Side} [rejected_by]
 * @property {string} [reason]
 * @property {string} [code]
 * @property {string} [fix]
 * @property {Cause[]} [causes]
 * @property {Alert} [alert]
 * @property {Negotiated} tls
 * @property {Party} server
 * @property {Party} client
 * @property {{status: number, also?: number[]}} [http]
 * @property {string} [took] how long, in words
 * @property {Record<string, number>} [not_shown] that were only counted, after it
 *
 * @typedef {object} Field
 * @property {string} name
 * @property {number} offset
 * @property {number} length
 * @property {string} [value]
 * @property {string} [note]
 * @property {Field[]} [fields]
 *
 * @typedef {object} Handshake
 * @property {number} type
 * @property {string} name
 * @property {string} purpose
 * @property {Field[]} fields
 *
 * @typedef {{level: string, code: number, name: string, note: string}} AlertMessage
 *
 * @typedef {{subject: string, result: Result, text: string, code?: string}} Check
 * @typedef {'holds'|'fails'|'unknown'} Result
 *
 * @typedef {object} Message
 * @property {Side} from
 * @property {string} time
 * @property {string} content_type
 * @property {{secret: string, generation: number}} [key]
 * @property {{offset: number, length: number}[]} records
 * @property {number} length
 * @property {boolean} [encrypted]
 * @property {Handshake} [handshake]
 * @property {Handshake} [decompressed]
 * @property {AlertMessage} [alert]
 * @property {{line: string, headers: {name: string, value: string}[], body_length: number}} [http]
 * @property {string} [data_hex]
 * @property {string} [error]
 * @property {Check[]} [checks]
 *
 * @typedef {{kind: 'nothing'|'shown'|'knows'|'believes'|'ended', text: string}} Belief
 *
 * @typedef {object} Rung
 * @property {Side} [from] none: a line across, or a problem
 * @property {number} [at_ms]
 * @property {string} [time]
 * @property {string} [name]
 * @property {string} [text]
 * @property {string} [key]
 * @property {string} [size]
 * @property {string} [stage] what it works towards
 * @property {boolean} [encrypted]
 * @property {boolean} [alarm]
 * @property {{result: Result, text: string}[]} [checks]
 * @property {number[]} [messages] indexes in wire.messages
 * @property {{client: Belief, server: Belief}} beliefs
 *
 * @typedef {object} Ladder
 * @property {string} title
 * @property {string} agreed
 * @property {{client: string, server: string}} ends
 * @property {Rung[]} rungs
 * @property {string[]} legend
 * @property {string[]} ending
 *
 * @typedef {object} Certificate
 * @property {string} subject
 * @property {string} issuer
 * @property {string} serial
 * @property {boolean} ca
 * @property {string[]} [sans]
 * @property {string} not_before
 * @property {string} not_after
 * @property {number} days_left
 * @property {string} key
 * @property {string} signature
 * @property {string[]} [key_usages]
 * @property {string[]} [ext_key_usages]
 * @property {string} for
 * @property {string} sha256
 *
 * @typedef {{name: string, how?: string, value?: string, secret?: boolean, note?: string, terms?: Term[]}} Term
 *
 * @typedef {object} DetailOnly
 * @property {{name: string, text: string}[]} [lesson] what the lesson says that it is a run of
 * @property {string} file what files of it are called, without their ending
 * @property {Term[]} [arithmetic]
 * @property {{messages: Message[], scenario?: string}} [wire]
 * @property {string[]} [alike] scenarios that look the same as that of wire
 * @property {boolean} [capture] a capture of it can be made
 * @property {Ladder} [ladder]
 * @property {string[]} [plain]
 * @property {string[]} [inner]
 * @property {{client: string, server: string}} streams
 * @property {{client: Certificate[]|null, server: Certificate[]|null}} certificates
 *
 * @typedef {Row & DetailOnly} Detail
 */

export {};
