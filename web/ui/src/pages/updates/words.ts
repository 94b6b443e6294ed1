const codeWords: Record<string, string> = {
  quiet: 'not heard of now: joins when it comes',
  window: 'outside its change windows',
  preparing: 'its programs are being made ready on the hub',
  'other-update': 'another update of it is under way',
  'does-not-collect': 'is heard of, and did not collect the last command',
  current: 'runs this release',
  'update-unable': 'cannot update itself',
  'update-platform': 'the release has no program for it',
  'update-newer': 'runs something newer',
  'update-no-release': 'the release is not on the hub',
  'update-silent': 'took the update, and was not heard of for long',
  'update-hub': 'the hub could not give it',
  'update-refused': 'the device refused it',
  'update-fetch': 'the programs could not be fetched',
  'update-disk': 'no room on its disk',
  'update-reverted': 'the new agent did not prove itself: the old one is back',
};

/** codeWord says a code in words; one that is not known as it is. */
export const codeWord = (code: string): string => codeWords[code] ?? code;
