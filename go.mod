module github.com/falimage/falimage-go

go 1.26.0

require (
	github.com/HugoSmits86/nativewebp v0.9.3
	github.com/coder/websocket v1.8.15
	github.com/google/go-cmp v0.7.0
	github.com/hashicorp/go-retryablehttp v0.7.8
	github.com/jarcoal/httpmock v1.4.2
	github.com/tinylib/msgp v1.6.5
	go.etcd.io/bbolt v1.5.0
	golang.org/x/image v0.47.0
	golang.org/x/text v0.43.0
)

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
