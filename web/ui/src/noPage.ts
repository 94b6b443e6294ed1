// For tests without a page: where one would be.
Object.assign(globalThis, { document: { baseURI: 'https://hub.example/' } });
