"""A sample authority, papers and documents, made on the spot and marked as samples:

authority = create(folder)
person = authority.issue(key="ec:p256")
letter(Path("letter.pdf"), signer_name="Nguyễn Thị Mẫu")
"""
