"""proto/aka"""
