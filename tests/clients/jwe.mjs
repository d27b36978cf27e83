// The npm package jose reads an encrypted token or answer as its recipient would: decrypts, then verifies.
import { compactDecrypt, createLocalJWKSet, importPKCS8, jwtVerify } from 'jose';
import { brief, tell } from './brief.mjs';

const pem = `-----BEGIN PRIVATE KEY-----\n${brief.private_key}\n-----END PRIVATE KEY-----`;
const { plaintext, protectedHeader } = await compactDecrypt(brief.token, await importPKCS8(pem, 'RSA-OAEP-256'));
const { payload, protectedHeader: inner } = await jwtVerify(new TextDecoder().decode(plaintext), createLocalJWKSet(brief.jwks), {
  issuer: brief.issuer,
  audience: brief.audience,
  typ: brief.typ ?? 'at+jwt',
});
tell({ claims: payload, typ: inner.typ, enc: protectedHeader.enc });
