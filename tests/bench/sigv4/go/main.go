// Signatures a second of CPU by the signer of Go's SDK: sign [seconds] prints the signature, then the rate.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func main() {
	limit := 1.0
	if len(os.Args) > 1 {
		limit, _ = strconv.ParseFloat(os.Args[1], 64)
	}
	signer := v4.NewSigner()
	credentials := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	target, _ := url.Parse("https://ec2.us-east-1.amazonaws.com/")
	body := []byte("Action=DescribeInstances&Version=2016-11-15")
	now := time.Unix(1440938160, 0)
	ctx := context.Background()
	once := func() string {
		request := &http.Request{Method: "POST", URL: target, Host: target.Host, Header: http.Header{
			"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}}
		hash := sha256.Sum256(body)
		err := signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), "ec2", "us-east-1", now)
		if err != nil {
			panic(err)
		}
		return request.Header.Get("Authorization")
	}
	authorization := once()
	count, began, took := 0, cpu(), 0.0
	for took < limit {
		for i := 0; i < 1000; i++ {
			authorization = once()
		}
		count += 1000
		took = cpu() - began
	}
	_, signature, _ := strings.Cut(authorization, "Signature=")
	fmt.Printf("%s %.0f\n", signature, float64(count)/took)
}
