/** The nonce that the hub's policy allows styles by; each page that the hub gives has its own. */
export const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
