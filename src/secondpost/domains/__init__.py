"""What the DNS says of a domain that mail comes from: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489).

Rule: it reads and advises; no mail waits for it, and what could not be looked up is told as not known.
"""
