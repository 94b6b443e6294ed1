/** The nonce that the hub's policy allows styles by; each page that the hub gives has its own. */
export const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';

// Dialogs stop the page behind them from scrolling by a style of their own, which looks for the nonce under this name.
Object.assign(globalThis, { __webpack_nonce__: nonce });
