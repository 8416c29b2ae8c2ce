import { describe, it } from 'node:test'; describe('suite', () => { it('in it', () => {}); it.skip('skipped', () => {}); });
