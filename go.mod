module mtlslab.example/lab

go 1.26
