"""`GalvMail`: the verified domain and the SMTP credentials."""
